"""Architectures: how data becomes features and back."""

from .convolutional import Conv
from .linear import Linear
from .mlp import MLP

__all__ = ["MLP", "Conv", "Linear"]

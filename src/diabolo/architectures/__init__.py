"""Architectures: how data becomes features and back."""

from .convolutional import Conv
from .dictionary import Dictionary
from .linear import Linear
from .mlp import MLP
from .recurrent import Recurrent
from .transformer import Transformer

__all__ = ["MLP", "Conv", "Dictionary", "Linear", "Recurrent", "Transformer"]

"""Bottlenecks: what may pass."""

from .gaussian import Gaussian
from .identity import Identity

__all__ = ["Gaussian", "Identity"]

"""Corruptions: what the encoder may not see while training."""

from .masking import Masking
from .noise import Clean, GaussianNoise

__all__ = ["Clean", "GaussianNoise", "Masking"]

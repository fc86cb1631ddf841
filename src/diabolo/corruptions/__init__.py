"""Corruptions: what the encoder may not see while training."""

from .degrading import Blur, Downscaling
from .geometric import Mirror, Permutation, Rotation
from .masking import BlockMasking, Masking, Swap
from .noise import Clean, GaussianNoise, NoiseLevels, SaltAndPepper, ShiftedNoise

__all__ = [
    "BlockMasking",
    "Blur",
    "Clean",
    "Downscaling",
    "GaussianNoise",
    "Masking",
    "Mirror",
    "NoiseLevels",
    "Permutation",
    "Rotation",
    "SaltAndPepper",
    "ShiftedNoise",
    "Swap",
]

"""Bottlenecks: what may pass."""

from .gaussian import Gaussian
from .identity import Identity
from .quantized import Codebook, FiniteScalar, Quantizer, ResidualCodebook
from .sparse import BatchTopK, Gated, JumpReLU, SparseBottleneck, TopK
from .spherical import PowerSpherical, Spherical

__all__ = [
    "BatchTopK",
    "Codebook",
    "FiniteScalar",
    "Gated",
    "Gaussian",
    "Identity",
    "JumpReLU",
    "PowerSpherical",
    "Quantizer",
    "ResidualCodebook",
    "SparseBottleneck",
    "Spherical",
    "TopK",
]

"""Penalties: what a code costs."""

from .commitment import Commitment
from .disentangling import FactorDiscriminator, TotalCorrelation
from .divergence import KL, Capacity, Divergence, MaximumMeanDiscrepancy, UniformKL
from .priors import Matching, Mixture, Prior, StandardNormal, VampPrior
from .rivals import CodeRival, OutputRival
from .smoothness import CodeNorm, Contraction, DecoderSmoothness
from .sparsity import L1, ActiveUnits, GateTraining, Revival, TargetActivity

__all__ = [
    "KL",
    "L1",
    "ActiveUnits",
    "Capacity",
    "CodeNorm",
    "CodeRival",
    "Commitment",
    "Contraction",
    "DecoderSmoothness",
    "Divergence",
    "FactorDiscriminator",
    "GateTraining",
    "Matching",
    "MaximumMeanDiscrepancy",
    "Mixture",
    "OutputRival",
    "Prior",
    "Revival",
    "StandardNormal",
    "TargetActivity",
    "TotalCorrelation",
    "UniformKL",
    "VampPrior",
]

"""Losses: how much was lost, in nats per sample."""

from .bounds import ImportanceWeighted
from .columns import ColumnLikelihood
from .counts import NegativeBinomialLikelihood, PoissonLikelihood, ZeroInflatedNegativeBinomial
from .factors import FromFactors
from .hidden import CopiedHoles, HiddenOnly, PatchError
from .likelihood import BernoulliLikelihood, GaussianLikelihood, HeteroscedasticGaussian
from .perceptual import FeatureError, MultiScaleSimilarity, StructuralSimilarity
from .pointwise import SquaredError
from .robust import AbsoluteError, HuberLoss, LaplaceLikelihood, StudentTLikelihood
from .trimmed import Trimmed

__all__ = [
    "AbsoluteError",
    "BernoulliLikelihood",
    "ColumnLikelihood",
    "CopiedHoles",
    "FeatureError",
    "FromFactors",
    "GaussianLikelihood",
    "HeteroscedasticGaussian",
    "HiddenOnly",
    "HuberLoss",
    "ImportanceWeighted",
    "LaplaceLikelihood",
    "MultiScaleSimilarity",
    "NegativeBinomialLikelihood",
    "PatchError",
    "PoissonLikelihood",
    "SquaredError",
    "StructuralSimilarity",
    "StudentTLikelihood",
    "Trimmed",
    "ZeroInflatedNegativeBinomial",
]

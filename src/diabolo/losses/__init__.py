"""Losses: how much was lost, in nats per sample."""

from .bounds import ImportanceWeighted
from .columns import ColumnLikelihood
from .counts import NegativeBinomialLikelihood, PoissonLikelihood, ZeroInflatedNegativeBinomial
from .hidden import HiddenOnly, PatchError
from .likelihood import BernoulliLikelihood, GaussianLikelihood, HeteroscedasticGaussian
from .perceptual import FeatureError, MultiScaleSimilarity, StructuralSimilarity
from .pointwise import SquaredError
from .robust import AbsoluteError, HuberLoss, LaplaceLikelihood, StudentTLikelihood

__all__ = [
    "AbsoluteError",
    "BernoulliLikelihood",
    "ColumnLikelihood",
    "FeatureError",
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
    "ZeroInflatedNegativeBinomial",
]

"""Losses: how much was lost, in nats per sample."""

from .likelihood import BernoulliLikelihood, GaussianLikelihood
from .pointwise import SquaredError

__all__ = ["BernoulliLikelihood", "GaussianLikelihood", "SquaredError"]

"""Estimators: recipes with a scikit-learn face."""

from .base import Estimator
from .classic import DenoisingAutoencoder, LinearAutoencoder
from .general import Autoencoder
from .planning import Plan
from .storage import load, save, verify
from .variational import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "DenoisingAutoencoder",
    "Estimator",
    "LinearAutoencoder",
    "Plan",
    "load",
    "save",
    "verify",
]

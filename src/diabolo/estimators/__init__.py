"""Estimators: recipes with a scikit-learn face."""

from .base import Estimator
from .classic import DeepAutoencoder, DenoisingAutoencoder, LinearAutoencoder
from .disentangling import BetaVAE, FactorVAE, TotalCorrelationVAE
from .general import Autoencoder
from .planning import Plan
from .sequence import SequenceAutoencoder
from .smooth import ContractiveAutoencoder, RegularizedAutoencoder
from .sparse import SparseAutoencoder, SparseDictionary
from .storage import load, save, verify
from .variational import VAE, InfoVAE, SphericalVAE, WassersteinAutoencoder

__all__ = [
    "VAE",
    "Autoencoder",
    "BetaVAE",
    "ContractiveAutoencoder",
    "DeepAutoencoder",
    "DenoisingAutoencoder",
    "Estimator",
    "FactorVAE",
    "InfoVAE",
    "LinearAutoencoder",
    "Plan",
    "RegularizedAutoencoder",
    "SequenceAutoencoder",
    "SparseAutoencoder",
    "SparseDictionary",
    "SphericalVAE",
    "TotalCorrelationVAE",
    "WassersteinAutoencoder",
    "load",
    "save",
    "verify",
]

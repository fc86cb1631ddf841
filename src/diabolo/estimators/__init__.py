"""Estimators: recipes with a scikit-learn face."""

from .adversarial import VAEGAN, AdversarialAutoencoder
from .base import Estimator
from .classic import DeepAutoencoder, DenoisingAutoencoder, LinearAutoencoder
from .convolutional import ConvAutoencoder
from .disentangling import BetaVAE, FactorVAE, TotalCorrelationVAE
from .ensemble import EnsembleAutoencoder
from .general import Autoencoder
from .masked import BlindSpotAutoencoder, MaskedAutoencoder
from .planning import Plan
from .quantized import VQVAE, FiniteScalarAutoencoder
from .sequence import SequenceAutoencoder
from .smooth import ContractiveAutoencoder, RegularizedAutoencoder
from .sparse import SparseAutoencoder, SparseDictionary
from .storage import load, save, verify
from .tabular import TabularMaskedAutoencoder
from .variational import VAE, InfoVAE, SphericalVAE, WassersteinAutoencoder

__all__ = [
    "VAE",
    "VAEGAN",
    "VQVAE",
    "AdversarialAutoencoder",
    "Autoencoder",
    "BetaVAE",
    "BlindSpotAutoencoder",
    "ContractiveAutoencoder",
    "ConvAutoencoder",
    "DeepAutoencoder",
    "DenoisingAutoencoder",
    "EnsembleAutoencoder",
    "Estimator",
    "FactorVAE",
    "FiniteScalarAutoencoder",
    "InfoVAE",
    "LinearAutoencoder",
    "MaskedAutoencoder",
    "Plan",
    "RegularizedAutoencoder",
    "SequenceAutoencoder",
    "SparseAutoencoder",
    "SparseDictionary",
    "SphericalVAE",
    "TabularMaskedAutoencoder",
    "TotalCorrelationVAE",
    "WassersteinAutoencoder",
    "load",
    "save",
    "verify",
]

"""diabolo: autoencoders for every job, with one fitted object.

An autoencoder is a round trip: data, possibly corrupted, is encoded into features, squeezed through a bottleneck into
a code, and decoded back. There is one class for each of these words, and estimators that put them together.
"""

from .lazy import attach

__version__ = "0.1.0"

HOMES = {
    **dict.fromkeys(
        ["Autoencoder", "DenoisingAutoencoder", "LinearAutoencoder", "VAE", "load", "verify"], ".estimators"
    ),
    **dict.fromkeys(["MLP", "Conv", "Linear"], ".architectures"),
    **dict.fromkeys(["Gaussian", "Identity"], ".bottlenecks"),
    **dict.fromkeys(["Clean", "GaussianNoise", "Masking"], ".corruptions"),
    **dict.fromkeys(["BernoulliLikelihood", "GaussianLikelihood", "SquaredError"], ".losses"),
    **dict.fromkeys(["KL"], ".penalties"),
    **dict.fromkeys(["Constant", "CosineDecay", "LinearDecay", "Muon", "Torch"], ".training"),
    **dict.fromkeys(
        ["DataError", "DivergedError", "MissingPackageError", "ModelFileError", "ShapeError"], ".core.errors"
    ),
}

__all__ = sorted(HOMES)
__getattr__, __dir__ = attach(__name__, HOMES)

"""diabolo: autoencoders for every job, with one fitted object.

An autoencoder is a round trip: data, possibly corrupted, is encoded into features, squeezed through a bottleneck into
a code, and decoded back. There is one class for each of these words, and estimators that put them together.
"""

from .lazy import attach

__version__ = "0.1.0"

HOMES = {
    **dict.fromkeys(
        ["Autoencoder", "DeepAutoencoder", "DenoisingAutoencoder", "LinearAutoencoder", "VAE", "verify"],
        ".estimators",
    ),
    **dict.fromkeys(
        ["ContractiveAutoencoder", "RegularizedAutoencoder", "SparseAutoencoder", "SparseDictionary"], ".estimators"
    ),
    **dict.fromkeys(["Dictionary"], ".architectures"),
    **dict.fromkeys(["BatchTopK", "Gated", "JumpReLU", "TopK"], ".bottlenecks"),
    **dict.fromkeys(["L1", "ActiveUnits", "GateTraining", "Revival", "TargetActivity"], ".penalties"),
    **dict.fromkeys(["CodeNorm", "Contraction", "DecoderSmoothness"], ".penalties"),
    **dict.fromkeys(["Generator", "load"], ".tasks.storage"),
    **dict.fromkeys(["ConvAutoencoder", "EnsembleAutoencoder", "FiniteScalarAutoencoder", "VQVAE"], ".estimators"),
    **dict.fromkeys(["MLP", "Conv", "Linear", "Recurrent"], ".architectures"),
    **dict.fromkeys(["SequenceAutoencoder"], ".estimators"),
    **dict.fromkeys(["Gaussian", "Identity"], ".bottlenecks"),
    **dict.fromkeys(
        ["BlockMasking", "Blur", "Clean", "Downscaling", "GaussianNoise", "Masking", "NoiseLevels"], ".corruptions"
    ),
    **dict.fromkeys(["Mirror", "Permutation", "Rotation", "SaltAndPepper", "ShiftedNoise", "Swap"], ".corruptions"),
    **dict.fromkeys(["BernoulliLikelihood", "ColumnLikelihood", "GaussianLikelihood", "SquaredError"], ".losses"),
    **dict.fromkeys(["AbsoluteError", "HuberLoss", "LaplaceLikelihood", "StudentTLikelihood"], ".losses"),
    **dict.fromkeys(["HeteroscedasticGaussian", "NegativeBinomialLikelihood", "PoissonLikelihood"], ".losses"),
    **dict.fromkeys(["ZeroInflatedNegativeBinomial", "FeatureError", "StructuralSimilarity"], ".losses"),
    **dict.fromkeys(["MultiScaleSimilarity"], ".losses"),
    **dict.fromkeys(["KL", "Capacity", "MaximumMeanDiscrepancy", "UniformKL"], ".penalties"),
    **dict.fromkeys(["FactorDiscriminator", "TotalCorrelation"], ".penalties"),
    **dict.fromkeys(["Mixture", "StandardNormal", "VampPrior"], ".penalties"),
    **dict.fromkeys(["PowerSpherical", "Spherical"], ".bottlenecks"),
    **dict.fromkeys(["BetaVAE", "FactorVAE", "InfoVAE"], ".estimators"),
    **dict.fromkeys(["SphericalVAE", "TotalCorrelationVAE", "WassersteinAutoencoder"], ".estimators"),
    **dict.fromkeys(["Codebook", "FiniteScalar", "ResidualCodebook"], ".bottlenecks"),
    **dict.fromkeys(["Commitment"], ".penalties"),
    **dict.fromkeys(["BlindSpotAutoencoder", "MaskedAutoencoder", "TabularMaskedAutoencoder"], ".estimators"),
    **dict.fromkeys(["Transformer"], ".architectures"),
    **dict.fromkeys(["CopiedHoles", "FromFactors", "HiddenOnly", "PatchError", "Trimmed"], ".losses"),
    **dict.fromkeys(["AdversarialAutoencoder", "VAEGAN"], ".estimators"),
    **dict.fromkeys(["CodeRival", "OutputRival"], ".penalties"),
    **dict.fromkeys(["explain"], ".diagnosis"),
    **dict.fromkeys(["Constant", "CosineDecay", "EntropyStop", "LinearDecay", "Muon", "Torch"], ".training"),
    **dict.fromkeys(["Imputer"], ".tasks"),
    **dict.fromkeys(["SeriesAnomalyDetector", "SeriesExplanation"], ".tasks"),
    **dict.fromkeys(["AnomalyDetector", "AnomalyScore", "CodeDistance", "CodeMahalanobis"], ".tasks"),
    **dict.fromkeys(["ConditionalError", "DenoisingError", "NegativeLogLikelihood", "NeighborDistance"], ".tasks"),
    **dict.fromkeys(["OutOfRange", "PyODDetector", "ReconstructionError", "StandardizedError"], ".tasks"),
    **dict.fromkeys(["AlertsPerDay", "Calibration", "Contamination", "Quantile", "Score", "Threshold"], ".tasks"),
    **dict.fromkeys(["AdaptiveFalseDiscoveryRate", "ConditionalFalseDiscoveryRate"], ".tasks"),
    **dict.fromkeys(["FalseDiscoveryProportion", "FalseDiscoveryRate", "false_positive_budget"], ".tasks"),
    **dict.fromkeys(
        ["DataError", "DivergedError", "MissingPackageError", "ModelFileError", "ShapeError"], ".core.errors"
    ),
}

__all__ = sorted(HOMES)
__getattr__, __dir__ = attach(__name__, HOMES)

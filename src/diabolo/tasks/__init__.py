"""Tasks: what people want an autoencoder for, as scikit-learn meta-estimators around any of them."""

from ..lazy import attach

HOMES = {
    **dict.fromkeys(["Imputer"], ".imputer"),
    **dict.fromkeys(["Generator"], ".generator"),
    "AnomalyDetector": ".anomaly",
    "AnomalyExplanation": ".reasons",
    **dict.fromkeys(["AnomalyScore", "CodeDistance", "CodeMahalanobis", "ConditionalError"], ".scores"),
    **dict.fromkeys(["DenoisingError", "NegativeLogLikelihood", "NeighborDistance", "OutOfRange"], ".scores"),
    **dict.fromkeys(["ReconstructionError", "StandardizedError", "WhitenedDistance"], ".scores"),
    **dict.fromkeys(["SeriesAnomalyDetector", "SeriesExplanation"], ".series"),
    **dict.fromkeys(["PyODDetector"], ".pyod"),
    **dict.fromkeys(["Calibration"], ".conformal"),
    **dict.fromkeys(["AlertsPerDay", "Contamination", "Quantile", "Score", "Threshold"], ".thresholds"),
    **dict.fromkeys(["AdaptiveFalseDiscoveryRate", "ConditionalFalseDiscoveryRate"], ".thresholds"),
    **dict.fromkeys(["FalseDiscoveryProportion", "FalseDiscoveryRate", "false_positive_budget"], ".thresholds"),
}

__getattr__, __dir__ = attach(__name__, HOMES)

"""The words of the library: parts, codes, round trips, networks and objectives. Imports nothing else of diabolo."""

from ..lazy import attach

HOMES = {
    **dict.fromkeys(["Part", "WeightedPart", "choice", "every", "find", "parameters", "within"], ".parts"),
    **dict.fromkeys(
        ["Code", "DiscreteCode", "GatedCode", "GaussianCode", "QuantizedCode", "SparseCode", "SphericalCode"], ".codes"
    ),
    **dict.fromkeys(["Batch", "RoundTrip", "View"], ".roundtrip"),
    **dict.fromkeys(
        ["Architecture", "Bottleneck", "Corruption", "Loss", "Penalty", "Rival", "Series", "Shape", "Sum"], ".kinds"
    ),
    **dict.fromkeys(["Network", "ViewEncoder"], ".network"),
    **dict.fromkeys(["Cost", "Objective", "Recipe", "check_match"], ".objective"),
    **dict.fromkeys(["DataError", "DivergedError", "MissingPackageError", "ModelFileError", "ShapeError"], ".errors"),
}

__getattr__, __dir__ = attach(__name__, HOMES)

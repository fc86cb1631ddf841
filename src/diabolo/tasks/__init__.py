"""Tasks: what people want an autoencoder for, as scikit-learn meta-estimators around any of them."""

from ..lazy import attach

HOMES = {
    **dict.fromkeys(["Imputer"], ".imputer"),
    **dict.fromkeys(["Generator"], ".generator"),
}

__getattr__, __dir__ = attach(__name__, HOMES)

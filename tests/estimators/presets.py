"""The presets for rows of any numbers, and small ones of each; what needs positions is tested with its parts."""

from __future__ import annotations

from typing import Any

from diabolo import MLP, Transformer
from diabolo.estimators import Estimator
from diabolo.estimators.storage import all_estimators

PRESETS = [
    cls
    for cls in all_estimators()
    if cls.__module__.startswith("diabolo.") and cls().__sklearn_tags__().input_tags.two_d_array
]

SMALL: dict[str, dict[str, Any]] = {
    "EnsembleAutoencoder": {"members": 3, "architecture": MLP(hidden=(16,))},
    "LinearAutoencoder": {},
    "MaskedAutoencoder": {"architecture": Transformer(width=16, depth=1, codes="token")},
    "SequenceAutoencoder": {"hidden": 8},
    "SparseDictionary": {},
    "TabularMaskedAutoencoder": {"width": 8, "heads": 2},
}


def small(cls: type[Estimator], **parameters: Any) -> Estimator:
    """A preset of few weights, for laws that do not depend on how many there are."""
    return cls(**{**SMALL.get(cls.__name__, {"architecture": MLP(hidden=(16,))}), "random_state": 0, **parameters})

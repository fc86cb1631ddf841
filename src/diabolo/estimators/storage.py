"""A model is one file: tensors, and a description that rebuilds the object around them."""

from __future__ import annotations

import os
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..core.errors import ModelFileError
from ..core.files import FORMAT, read_container, verify_container, write_container
from ..core.parts import from_plain, to_plain
from ..data.modality import restore
from ..training import History
from ..training.seeding import own_randomness
from .base import Estimator

PACKAGES = ("diabolo", "torch", "numpy", "scikit-learn", "safetensors")


class Task(ABC):
    """A use of a fitted autoencoder that a model file holds beside it: the estimator's file plus one section.

    Attributes
    ----------
    estimator_ : Estimator
        The fitted autoencoder.
    """

    estimator_: Estimator

    @abstractmethod
    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model file holds of the task itself: plain facts and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, estimator: Estimator, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`describe`, around an autoencoder that is loaded already."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write autoencoder and task to one file, whole or not at all; :func:`diabolo.load` reads it."""
        plain, arrays = self.describe()
        description, tensors = describe(self.estimator_)
        description["task"] = {"name": type(self).__name__, "facts": plain}
        write_container(path, description, tensors | {f"task.{name}": array for name, array in arrays.items()})

    def _know_features_of(self, other: Any) -> None:
        """Number and names of the columns, where whoever saw them knows them."""
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))


def versions() -> dict[str, str]:
    """What made a file: the versions of the packages that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe(estimator: Estimator) -> tuple[dict[str, Any], dict[str, Any]]:
    """A fitted estimator as a plain description and tensors."""
    check_is_fitted(estimator, "network_")
    known = estimator.get_params(deep=False)
    known["random_state"] = estimator.seed_
    plain, arrays = estimator.modality_.describe()
    description = {
        "format": FORMAT,
        "kind": "model",
        "estimator": type(estimator).__name__,
        "parameters": {name: to_plain(value) for name, value in known.items()},
        "modality": plain,
        "history": timeless(estimator.history_),
        "features": estimator.n_features_in_,
        "names": [str(name) for name in getattr(estimator, "feature_names_in_", [])] or None,
        "seed": estimator.seed_,
        "weights": sum(weight.numel() for weight in estimator.network_.parameters()),
        "versions": versions(),
    }
    tensors: dict[str, Any] = {f"modality.{name}": np.asarray(array) for name, array in arrays.items()}
    tensors |= {f"network.{name}": value.cpu() for name, value in estimator.network_.state_dict().items()}
    tensors |= {f"objective.{name}": value.cpu() for name, value in estimator.objective_.state_dict().items()}
    return description, tensors


def timeless(history: History) -> dict[str, Any]:
    """A history without its seconds: the same seed, data and machine give the same file."""
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    return history.to_dict() | {"rows": rows}


def save(estimator: Estimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file, whole or not at all.

    >>> import tempfile, os
    >>> from diabolo import Autoencoder, load
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "model.safetensors"))
    ...     again = load(os.path.join(folder, "model.safetensors"))
    >>> again.code_size
    1
    """
    description, tensors = describe(estimator)
    write_container(path, description, tensors)


def load(path: str | os.PathLike[str], *, device: str = "cpu", encoder_only: bool = False) -> Any:
    """Read a model, or a task around one; the whole file is checked before anything of it is used.

    Parameters
    ----------
    path : path
    device : str, default "cpu"
        Where to put it, wherever it was trained.
    encoder_only : bool, default False
        Leave the decoder out: ``transform`` works, at about half the memory. Of a task's file, the autoencoder alone.

    Returns
    -------
    Estimator, or Task (a generator, say)

    Raises
    ------
    ModelFileError
        If the file is damaged, tampered with, too new, or no model.

    >>> load("no such file.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: ...
    """
    container = read_container(path)
    description = container.description
    if description.get("kind") != "model":
        raise ModelFileError(f"{path} is a {description.get('kind')!r} file, not a model; give the model's file.")
    try:
        estimator = rebuild(description, container.tensors, device, encoder_only)
        if "task" not in description or encoder_only:
            return estimator
        return rebuild_task(estimator, description["task"], under("task.", container.tensors))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{path} is whole, but this version cannot rebuild the model: {error} "
            f"It was made by diabolo {description.get('versions', {}).get('diabolo', '?')}."
        ) from error


def rebuild(
    description: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], device: str, encoder_only: bool
) -> Estimator:
    """The estimator that a description and tensors stand for."""
    values = {name: from_plain(value) for name, value in description["parameters"].items()}
    kind = next((cls for cls in all_estimators() if cls.__name__ == description["estimator"]), None)
    if kind is None:
        raise ValueError(
            f"No estimator is called {description['estimator']!r}; import the module that defines it first."
        )
    estimator: Estimator = kind(**values)
    estimator.modality_ = restore(
        description["modality"], {n: t.numpy() for n, t in under("modality.", tensors).items()}
    )
    with own_randomness(description["seed"], torch.device("cpu")):  # first weights are drawn, then replaced
        estimator.network_, estimator.objective_ = estimator._assemble(estimator.modality_)
    weights = under("network.", tensors)
    if encoder_only:
        estimator.network_.decoder = None  # type: ignore[assignment]
        weights = {name: value for name, value in weights.items() if not name.startswith("decoder.")}
    estimator.network_.load_state_dict(weights)
    estimator.objective_.load_state_dict(under("objective.", tensors))
    modules: tuple[nn.Module, nn.Module] = (estimator.network_, estimator.objective_)
    for module in modules:
        module.to(device).eval()
    estimator.history_ = History(**description["history"])
    estimator.seed_, estimator.device_ = description["seed"], torch.device(device)
    estimator.n_features_in_ = description["features"]
    if description["names"]:
        estimator.feature_names_in_ = np.array(description["names"], dtype=object)
    return estimator


def rebuild_task(estimator: Estimator, section: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Task:
    """The task around a model that a file's section stands for; tasks are known by being subclasses."""
    waiting = list(Task.__subclasses__())
    while waiting:
        task = waiting.pop()
        waiting.extend(task.__subclasses__())
        if task.__name__ == section["name"]:
            return task.restore(estimator, section["facts"], {name: each.numpy() for name, each in tensors.items()})
    raise ValueError(f"No task is called {section['name']!r}; import the module that defines it first.")


def all_estimators() -> list[type[Estimator]]:
    """Every concrete estimator that is known."""
    waiting, found = list(Estimator.__subclasses__()), []
    while waiting:
        cls = waiting.pop(0)
        waiting.extend(cls.__subclasses__())
        if not getattr(cls, "__abstractmethods__", None):
            found.append(cls)
    return found


def under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def verify(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check a file's digest over every byte of it, and give its description. Nothing of it is used.

    Raises
    ------
    ModelFileError
        If a single bit is not as it was written.

    >>> verify("no such file.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: ...
    """
    return verify_container(path)


__all__ = ["Task", "all_estimators", "describe", "load", "save", "verify"]

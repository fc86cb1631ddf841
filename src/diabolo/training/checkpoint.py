"""All that a run needs to go on to the same bits as if nothing had happened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..core.errors import ModelFileError
from ..core.files import FORMAT, read_container, write_container

if TYPE_CHECKING:
    from .engine import Run


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Parameters
    ----------
    facts : dict
        Position, history and other plain values.
    tensors : dict of str to Tensor
        Weights, optimizer state, sums of the running epoch, the best weights so far.
    fingerprint : str
        Of the data and parameters that the run belongs to.
    """

    facts: dict[str, Any]
    tensors: dict[str, Tensor]
    fingerprint: str

    @classmethod
    def of(cls, run: Run, fingerprint: str) -> Checkpoint:
        """Take the state of a run."""
        facts, tensors = run.state()
        return cls(facts, tensors, fingerprint)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all."""
        description = {
            "format": FORMAT,
            "kind": "checkpoint",
            "fingerprint": self.fingerprint,
            "run": self.facts,
        }
        write_container(path, description, self.tensors)

    @classmethod
    def read(cls, path: str | os.PathLike[str], fingerprint: str) -> Checkpoint | None:
        """Read it; ``None`` where there is none yet.

        Raises
        ------
        ModelFileError
            If the file is damaged, is no checkpoint, or belongs to other data or parameters.
        """
        if not Path(path).exists():
            return None
        container = read_container(path)
        description = container.description
        if description.get("kind") != "checkpoint":
            raise ModelFileError(f"{path} is a {description.get('kind')}, not a checkpoint; resume from another file.")
        if description.get("fingerprint") != fingerprint:
            raise ModelFileError(
                f"{path} belongs to a run with other data or parameters; going on with it would mix two models. "
                "Resume with the same data and parameters, or remove the file to begin anew."
            )
        return cls(description["run"], dict(container.tensors), fingerprint)


def flatten(prefix: str, value: Any, tensors: dict[str, Tensor]) -> Any:
    """Take the tensors out of nested dicts and lists, leaving their names: the rest is plain.

    >>> import torch
    >>> found = {}
    >>> flatten("o", {"a": [torch.ones(1), 2]}, found), list(found)
    ({'a': [{'tensor': 'o.a.0'}, 2]}, ['o.a.0'])
    """
    if isinstance(value, Tensor):
        tensors[prefix] = value.detach()
        return {"tensor": prefix}
    if isinstance(value, dict):
        keys = {str(key) if not isinstance(key, int) else f"#{key}": item for key, item in value.items()}
        return {key: flatten(f"{prefix}.{key}", item, tensors) for key, item in keys.items()}
    if isinstance(value, (list, tuple)):
        return [flatten(f"{prefix}.{place}", item, tensors) for place, item in enumerate(value)]
    return value


def unflatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The reverse of :func:`flatten`.

    >>> unflatten({"#0": {"tensor": "x"}}, {"x": 5})
    {0: 5}
    """
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return tensors[value["tensor"]]
        return {int(k[1:]) if k.startswith("#") else k: unflatten(v, tensors) for k, v in value.items()}
    return [unflatten(item, tensors) for item in value] if isinstance(value, list) else value

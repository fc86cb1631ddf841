"""Names that are imported when they are first used, so that ``import diabolo`` is quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` for a package whose names live in other modules (PEP 562).

    Parameters
    ----------
    package : str
        The package's own ``__name__``.
    homes : mapping of name to module
        Where each public name is defined, relative to the package: ``{"VAE": ".estimators"}``.

    >>> get, names = attach("diabolo", {"DataError": ".core.errors"})
    >>> get("DataError").__name__, "DataError" in names()
    ('DataError', True)
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names

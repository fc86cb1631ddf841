"""Parts: hyperparameters first, weights once shapes are known.

A part is a class whose annotated fields are its constructor parameters. From the fields alone come cloning,
printing, nested ``get_params``/``set_params`` as scikit-learn has them, checks with clear messages, storage as JSON
and the flags of the command line. A new part is one class in one file; it is found by being a subclass.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np
from torch import nn

Kind = TypeVar("Kind", bound="Part")


def within(
    *,
    default: Any,
    low: float | None = None,
    high: float | None = None,
    above: bool = False,
    below: bool = False,
) -> Any:
    """A numeric field with a range: ``low <= value <= high``, strictly where ``above`` or ``below`` is true.

    Fields whose default or annotation is ``None`` also accept ``None``.

    >>> @parameters
    ... class Noise(Part):
    ...     scale: float = within(default=0.1, low=0.0)
    >>> Noise(-1.0).check()
    Traceback (most recent call last):
    ValueError: Noise: scale came as -1.0; it must be a number of at least 0.0.
    """
    return dataclasses.field(default=default, metadata={"range": (low, high, above, below)})


def choice(*options: Any, default: Any) -> Any:
    """A field that takes one of a few values.

    >>> @parameters
    ... class Norm(Part):
    ...     kind: str = choice("layer", "batch", default="layer")
    >>> Norm("none").check()
    Traceback (most recent call last):
    ValueError: Norm: kind came as 'none'; it must be one of 'layer', 'batch'.
    """
    return dataclasses.field(default=default, metadata={"options": options})


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, within, choice))
def parameters(cls: type) -> type:
    """Turn the annotated fields of a class into its constructor parameters.

    >>> @parameters
    ... class Widths(Part):
    ...     hidden: tuple[int, ...] = (64, 32)
    >>> Widths((8,))
    Widths(hidden=(8,))
    """
    return dataclasses.dataclass(eq=False, repr=False)(cls)


def describe_range(low: float | None, high: float | None, above: bool, below: bool) -> str:
    """Say a range in words, for messages."""
    limits = []
    if low is not None:
        limits.append(f"above {low}" if above else f"of at least {low}")
    if high is not None:
        limits.append(f"below {high}" if below else f"of at most {high}")
    return "a number " + " and ".join(limits) if limits else "a number"


def check_field(owner: str, field: dataclasses.Field, value: Any) -> None:
    """Refuse a value that the field's declaration does not allow."""
    options = field.metadata.get("options")
    if options is not None and value not in options:
        possible = ", ".join(repr(option) for option in options)
        raise ValueError(f"{owner}: {field.name} came as {value!r}; it must be one of {possible}.")
    if field.type in ("bool", bool) and not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{owner}: {field.name} came as {value!r}; it must be True or False.")
    if "range" not in field.metadata or (value is None and (field.default is None or "None" in str(field.type))):
        return
    low, high, above, below = field.metadata["range"]
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    whole = str(field.type).split(" |")[0] != "int" or isinstance(value, numbers.Integral)
    if (
        not number
        or not whole
        or not math.isfinite(value)
        or (low is not None and (value <= low if above else value < low))
        or (high is not None and (value >= high if below else value > high))
    ):
        possible = describe_range(low, high, above, below)
        possible = (
            possible.replace("a number", "a whole number") if not str(field.type).startswith("float") else possible
        )
        error = ValueError if number else TypeError
        nothing = ", or None" if "None" in str(field.type) else ""
        raise error(f"{owner}: {field.name} came as {value!r}; it must be {possible}{nothing}.")


def whole_widths(owner: str, name: str, value: Any) -> tuple[int, ...]:
    """Widths of layers: one whole number, or several; anything else is refused.

    >>> whole_widths("MLP", "hidden", 8), whole_widths("MLP", "hidden", (8, 4))
    ((8,), (8, 4))
    """
    widths = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(width, (int, np.integer)) and width is not True and width >= 1 for width in widths):
        raise ValueError(f"{owner}: {name} came as {value!r}; it must be whole numbers of at least 1.")
    return widths


class Part:
    """A replaceable piece of an autoencoder: it can be cloned, printed, checked and stored as JSON.

    >>> from diabolo import MLP
    >>> MLP(hidden=(8,)).set_params(dropout=0.5).get_params()["dropout"]
    0.5
    """

    is_sum: ClassVar[bool] = False  # whether only ``+`` makes it

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the fields by name and, if ``deep``, those of nested parts as ``part__field``."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}
        if not deep:
            return own
        nested = {
            f"{name}__{key}": value
            for name, part in own.items()
            if isinstance(part, Part)
            for key, value in part.get_params().items()
        }
        return own | nested

    def set_params(self, **params: Any) -> Self:
        """Set fields by name; ``part__field`` reaches into a nested part."""
        for name, value in params.items():
            head, _, tail = name.partition("__")
            own = self.get_params(deep=False)
            if head not in own:
                raise ValueError(
                    f"Invalid parameter {head!r} for {type(self).__name__}; it has {', '.join(sorted(own)) or 'none'}."
                )
            if tail:
                own[head].set_params(**{tail: value})
            else:
                setattr(self, head, value)
        return self

    def check(self) -> Self:
        """Refuse values that the fields' declarations do not allow; also in nested parts."""
        for field in (field for field in dataclasses.fields(self) if field.init):
            value = getattr(self, field.name)
            check_field(type(self).__name__, field, value)
            if isinstance(value, Part):
                value.check()
        return self

    def clone(self) -> Self:
        """Make the same part anew, without weights."""
        return type(self)(**{k: v.clone() if isinstance(v, Part) else v for k, v in self.get_params(False).items()})

    def __sklearn_clone__(self) -> Self:
        return self.clone()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params(False).items())})"


class WeightedPart(Part, nn.Module):
    """A part that owns weights; they come into being in ``build``, once shapes are known.

    >>> from diabolo import Identity
    >>> len(list(Identity(2).parameters())), len(list(Identity(2).build(5).parameters()))
    (0, 2)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    __repr__ = Part.__repr__


class Absent(nn.Module):
    """Stands where a module of the user's own was: a model file holds its name, and nothing of it.

    >>> to_plain(from_plain(to_plain(nn.ReLU())))
    {'absent': 'ReLU'}
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def extra_repr(self) -> str:
        """What is absent."""
        return repr(self.name)

    def forward(self, *inputs: Any) -> Any:
        """Nothing can be computed without it."""
        raise ValueError(
            f"A {self.name} of your own belongs here, which the model file does not hold: codes and reconstructions "
            "do without. To score, give it as model.objective_.loss.set_params(network=...); to fit again, as "
            "model.set_params(loss__network=...)."
        )


def every(kind: type[Kind]) -> Iterator[type[Kind]]:
    """All concrete subclasses of a kind, found without a registry.

    >>> from diabolo.core.kinds import Bottleneck
    >>> import diabolo.bottlenecks
    >>> "Gaussian" in {part.__name__ for part in every(Bottleneck)}
    True
    """
    seen: set[type] = set()
    waiting = list(kind.__subclasses__())
    while waiting:
        cls = waiting.pop(0)
        if cls in seen:
            continue
        seen.add(cls)
        waiting.extend(cls.__subclasses__())
        if not cls.__name__.startswith("_") and not getattr(cls, "__abstractmethods__", None):
            yield cls


def plain_name(name: str) -> str:
    """Fold a part's name so that ``GaussianNoise``, ``gaussian_noise`` and ``gaussian-noise`` are one.

    >>> plain_name("gaussian-noise") == plain_name("GaussianNoise")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find(kind: type[Kind], name: str, *, sums: bool = False) -> type[Kind]:
    """The concrete subclass of ``kind`` that is called ``name``, in any case; with ``sums`` also what ``+`` makes.

    >>> from diabolo.core.kinds import Bottleneck
    >>> find(Bottleneck, "gausian")
    Traceback (most recent call last):
    ValueError: No bottleneck is called 'gausian'; there are ...
    """
    known = {cls.__name__: cls for cls in every(kind) if sums or not cls.is_sum}
    for cls in known.values():
        if plain_name(cls.__name__) == plain_name(name):
            return cls
    raise ValueError(
        f"No {kind.__name__.lower()} is called {name!r}; there are {', '.join(sorted(known))}. "
        "A part of your own is known once the module that defines it is imported."
    )


def as_part(kind: type[Kind], value: Kind | str) -> Kind:
    """A part given as itself (cloned, so that the one given stays untouched) or by its name."""
    if isinstance(value, str):
        return find(kind, value)()
    if isinstance(value, kind):
        return value.clone()
    hint = f" Did you mean {value.__name__}()?" if isinstance(value, type) else ""
    raise TypeError(f"Expected {article(kind.__name__.lower())} or its name, but {value!r} came.{hint}")


def article(word: str) -> str:
    """A word with its article.

    >>> article("architecture"), article("loss")
    ('an architecture', 'a loss')
    """
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def to_plain(value: Any) -> Any:
    """A value as JSON can hold it: a part becomes ``{"part": name, field: value, ...}``.

    >>> from diabolo.bottlenecks import Gaussian
    >>> to_plain(Gaussian(2))
    {'part': 'Gaussian', 'kind': 'Bottleneck', 'size': 2}

    A module that is no part (a network that judges pictures, say) is only named; it comes back as :class:`Absent`.
    """
    if isinstance(value, Part):
        own = {name: to_plain(field) for name, field in value.get_params(deep=False).items()}
        return {"part": type(value).__name__, "kind": kind_of(type(value)).__name__} | own
    if isinstance(value, nn.Module):
        return {"absent": value.name if isinstance(value, Absent) else type(value).__name__}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {"mapping": [[str(name), to_plain(item)] for name, item in value.items()]}
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"{value!r} cannot be written down as JSON; parts take numbers, words, tuples and other parts.")


def from_plain(value: Any) -> Any:
    """The reverse of :func:`to_plain`; lists come back as tuples. Nothing is imported by name.

    >>> from diabolo.bottlenecks import Gaussian
    >>> from_plain(to_plain(Gaussian(2)))
    Gaussian(size=2)
    """
    if isinstance(value, dict):
        if "absent" in value:
            return Absent(str(value["absent"]))
        if "mapping" in value:
            return {str(name): from_plain(item) for name, item in value["mapping"]}
        fields = {name: from_plain(item) for name, item in value.items() if name not in ("part", "kind")}
        kind = next((cls for cls in kinds() if cls.__name__ == value.get("kind")), Part)
        return find(kind, str(value["part"]), sums=True)(**fields).check()
    return tuple(from_plain(item) for item in value) if isinstance(value, list) else value


def kinds() -> list[type[Part]]:
    """The abstract kinds of part: the classes that call themselves a kind in their body."""
    found: list[type[Part]] = []
    waiting = list(Part.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if vars(cls).get("is_kind", False):
            found.append(cls)
    return found


def kind_of(cls: type[Part]) -> type[Part]:
    """The abstract kind that a part belongs to."""
    return next((base for base in cls.__mro__ if vars(base).get("is_kind", False)), Part)

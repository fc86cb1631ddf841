"""Several parts of one kind in a row, as one part: what ``+`` makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self

from .parts import Kind, Part


class Several(Part, Generic[Kind]):
    """Parts that are reached by their names, as in ``penalty__kl__weight`` and ``corruption__masking__share``.

    >>> from diabolo.penalties import KL
    >>> (KL(2.0) + KL(0.5)).get_params()["kl_2__weight"]
    0.5
    """

    is_sum: ClassVar[bool] = True
    members: Sequence[Kind]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The members by name and, if ``deep``, their own fields."""
        if not deep:
            return {"members": tuple(self.members)}
        own = dict(zip(part_names(self.members), self.members, strict=True))
        return {**own, **{f"{n}__{k}": v for n, member in own.items() for k, v in member.get_params().items()}}

    def set_params(self, **params: Any) -> Self:
        """Set a member's field, or replace a member, by the member's name; or all of them as ``members``."""
        if "members" in params:
            self._replace(params.pop("members"))
        names = part_names(self.members)
        for name, value in params.items():
            head, _, tail = name.partition("__")
            if head not in names:
                raise ValueError(
                    f"Invalid parameter {head!r} for {type(self).__name__}; its members are {', '.join(names)}."
                )
            if tail:
                self.members[names.index(head)].set_params(**{tail: value})
            else:
                self._replace(value if n == head else m for n, m in zip(names, self.members, strict=True))
        return self

    def _replace(self, members: Any) -> None:
        self.members = tuple(members)

    def check(self) -> Self:
        """Check every member."""
        for member in self.members:
            member.check()
        return self

    def clone(self) -> Self:
        """The same of fresh members."""
        return type(self)(tuple(member.clone() for member in self.members))  # type: ignore[call-arg]

    def __repr__(self) -> str:
        return " + ".join(repr(member) for member in self.members)


def part_names(parts: Sequence[Part]) -> list[str]:
    """A name for each part: its class in snake case, numbered from the second of the same name on.

    >>> from diabolo.penalties import KL
    >>> part_names([KL(), KL()])
    ['kl', 'kl_2']
    """
    names: list[str] = []
    for part in parts:
        name = snake(type(part).__name__)
        count = sum(1 for other in names if other == name or other.startswith(f"{name}_"))
        names.append(f"{name}_{count + 1}" if count else name)
    return names


def snake(name: str) -> str:
    """``TotalCorrelation`` -> ``total_correlation``; ``KL`` -> ``kl``.

    >>> snake("TotalCorrelation"), snake("KL")
    ('total_correlation', 'kl')
    """
    return "".join(
        f"_{c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c.lower() for i, c in enumerate(name)
    )

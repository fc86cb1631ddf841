"""The kinds of part: one abstract class for each word of the round trip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn

from .codes import Code
from .parts import Part, WeightedPart, kind_of
from .roundtrip import RoundTrip, View

if TYPE_CHECKING:
    from .network import Network

Shape = tuple[int, ...]


class Corruption(Part, ABC):
    """Decides what of the data the encoder may see while training: ``Tensor -> View``."""

    is_kind: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, x: Tensor) -> View:
        """Corrupt ``x`` of shape (batch, *shape) into a view of the same shape; never in place."""


class Architecture(Part, ABC):
    """A plan for how data becomes features and codes become data again."""

    is_kind: ClassVar[bool] = True

    @abstractmethod
    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Build ``(batch, *shape) -> (batch, ..., width)`` and tell the width.

        The module gets the values of the view; a :class:`diabolo.core.network.ViewEncoder` gets the whole view.
        """

    @abstractmethod
    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """Build ``(batch, ..., size) -> (batch, *shape)``."""

    def join(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module) -> None:
        """Let the three know each other once they are built; tied weights need that."""
        return

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Let a fresh decoder begin at ``output`` of shape ``shape`` (the data's mean), where that is possible."""
        return


class Bottleneck(WeightedPart, ABC):
    """Decides what of the features may pass: ``features -> Code``.

    It works on the last axis only, so that vectors, maps and tokens are one case, and it is deterministic: a code
    that is a distribution is drawn from by the network, by :meth:`diabolo.core.codes.Code.sample`.

    Attributes
    ----------
    gives : type of Code
        What :meth:`forward` returns.
    size : int or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.
    """

    is_kind: ClassVar[bool] = True
    gives: ClassVar[type[Code]] = Code
    size: int | None

    @abstractmethod
    def build(self, width: int) -> Self:
        """Make the weights for features of ``width`` channels."""

    @abstractmethod
    def forward(self, features: Tensor) -> Code:
        """``(batch, ..., width) -> Code`` with values ``(batch, ..., size)``."""


class Loss(WeightedPart, ABC):
    """How much was lost on the trip, in nats per sample, summed over known cells."""

    is_kind: ClassVar[bool] = True

    def build(self, shape: Shape) -> Self:
        """Make what the loss itself has to remember for samples of ``shape``."""
        return self

    @abstractmethod
    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""

    def mean(self, output: Tensor) -> Tensor:
        """The data that the decoder's output expects, of the same shape."""
        return output

    def unlink(self, mean: Tensor) -> Tensor:
        """The decoder's output that would expect ``mean``: the reverse of :meth:`mean`."""
        return mean

    @property
    def needs_unit(self) -> bool:
        """Whether the data must lie between 0 and 1."""
        return False

    def restart(self) -> None:
        """Forget what was gathered from earlier trips (a variance, say); called before a pass over data."""


class Penalty(WeightedPart, ABC):
    """The price of a code; ``+`` adds several.

    Attributes
    ----------
    needs : type of Code
        What the bottleneck must give.
    in_bound : bool
        Whether the price belongs to the bound on the log-likelihood, and so to a sample's score.
    """

    is_kind: ClassVar[bool] = True
    needs: ClassVar[type[Code]] = Code
    in_bound: ClassVar[bool] = False
    weight: float

    def build(self, network: Network) -> Self:
        """Make the weights that the price itself needs."""
        return self

    @abstractmethod
    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``() or (batch,)``, in nats, before :meth:`price`."""

    def price(self, progress: Tensor) -> Tensor | float:
        """What the penalty is multiplied by when ``progress`` (0 to 1) of the training is done."""
        return self.weight

    def terms(self) -> list[Penalty]:
        """The penalties that this one adds up."""
        return [self]

    def __add__(self, other: Penalty) -> Sum:
        return Sum((*self.terms(), *other.terms()))


class Sum(Penalty):
    """Several penalties; parameters are reached by the term's name, as in ``penalty__kl__weight``.

    >>> from diabolo.penalties import KL
    >>> (KL(2.0) + KL(0.5)).get_params()["kl_2__weight"]
    0.5
    """

    def __init__(self, members: tuple[Penalty, ...] = ()) -> None:
        self.members = nn.ModuleList(members)

    @property
    def weight(self) -> float:  # type: ignore[override]
        """A sum is paid in full; its terms have weights of their own."""
        return 1.0

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """The terms by name and, if ``deep``, their own fields."""
        if not deep:
            return {"members": tuple(self.terms())}
        own = dict(zip(term_names(self.terms()), self.terms(), strict=True))
        return {**own, **{f"{n}__{k}": v for n, term in own.items() for k, v in term.get_params().items()}}

    def set_params(self, **params: object) -> Self:
        """Set a term's field, or replace a term, by the term's name."""
        names = term_names(self.terms())
        for name, value in params.items():
            head, _, tail = name.partition("__")
            if head not in names:
                raise ValueError(
                    f"Invalid parameter {head!r} for a sum of penalties; its terms are {', '.join(names)}."
                )
            if tail:
                self.terms()[names.index(head)].set_params(**{tail: value})
            else:
                self.members[names.index(head)] = value  # type: ignore[assignment]
        return self

    def check(self) -> Self:
        """Check every term."""
        for term in self.terms():
            term.check()
        return self

    def clone(self) -> Self:
        """The same sum of fresh terms."""
        return type(self)(tuple(term.clone() for term in self.terms()))

    def terms(self) -> list[Penalty]:
        """The penalties that are added."""
        return list(self.members)  # type: ignore[arg-type]

    def build(self, network: Network) -> Self:
        """Build every term."""
        for term in self.terms():
            term.build(network)
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """The sum of all terms at their weights."""
        return torch.stack([term.weight * term(trip, network).mean() for term in self.terms()]).sum()

    def __repr__(self) -> str:
        return " + ".join(repr(term) for term in self.terms())


def term_names(terms: list[Penalty]) -> list[str]:
    """A name for each penalty: its class in snake case, numbered from the second of the same name on."""
    names: list[str] = []
    for term in terms:
        name = snake(type(term).__name__)
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


__all__ = [
    "Architecture",
    "Bottleneck",
    "Corruption",
    "Loss",
    "Penalty",
    "Shape",
    "Sum",
    "kind_of",
    "snake",
    "term_names",
]

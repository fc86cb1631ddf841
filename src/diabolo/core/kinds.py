"""The kinds of part: one abstract class for each word of the round trip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor, nn

from .codes import Code
from .parts import Part, WeightedPart, kind_of
from .roundtrip import RoundTrip, View
from .several import Several

if TYPE_CHECKING:
    from .network import Network

Shape = tuple[int, ...]


class Corruption(Part, ABC):
    """Decides what of the data the encoder may see while training: ``Tensor -> View``."""

    is_kind: ClassVar[bool] = True

    def of_columns(self, widths: Sequence[int]) -> None:
        """Get to know, before :meth:`build`, how many neighboring cells make up each column of a table."""
        return

    def build(self, shape: Shape) -> Self:
        """Prepare for samples of ``shape``; refuses with a ShapeError those that it makes no sense for."""
        return self

    @abstractmethod
    def __call__(self, x: Tensor) -> View:
        """Corrupt ``x`` of shape (batch, *shape) into a view of the same shape; never in place."""

    def steps(self) -> list[Corruption]:
        """The corruptions that this one applies in turn."""
        return [self]

    def __add__(self, other: Corruption) -> Series:
        return Series((*self.steps(), *other.steps()))


class Architecture(Part, ABC):
    """A plan for how data becomes features and codes become data again."""

    is_kind: ClassVar[bool] = True

    def of_columns(self, widths: Sequence[int]) -> None:
        """Get to know, before anything is built, how many neighboring cells make up each column of a table."""
        return

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

    def meet(self, features: Tensor) -> None:
        """See the features of some training rows once, before the first step: a codebook begins at them."""
        return

    @abstractmethod
    def forward(self, features: Tensor) -> Code:
        """``(batch, ..., width) -> Code`` with values ``(batch, ..., size)``."""


class Loss(WeightedPart, ABC):
    """How much was lost on the trip, in nats per sample, summed over known cells.

    Attributes
    ----------
    prepare : callable (values, mean) -> Tensor, or None
        What the encoder gets of the values, given the training data's mean; ``None``: the values as they are.
    """

    is_kind: ClassVar[bool] = True
    prepare: ClassVar[Callable[..., Tensor] | None] = None

    def build(self, shape: Shape) -> Self:
        """Make what the loss itself has to remember for samples of ``shape``."""
        return self

    def output_shape(self, shape: Shape) -> Shape:
        """What the decoder has to give for samples of ``shape``: as much again, or several numbers per cell.

        Several numbers per cell stand one after the other along the last axis: all means, then all variances.
        """
        return shape

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

    @property
    def needs_counts(self) -> bool:
        """Whether the data must be whole numbers of at least 0, as they came."""
        return False

    def impossible(self, values: Tensor) -> Tensor | None:
        """Which values have no probability at all, so that no score means anything; ``None``: all numbers have one."""
        return (values < 0) | (values != values.floor()) if self.needs_counts else None

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
    progress : float, or Tensor of shape ()
        The share of the training that is done, set by the objective before each judgement.
    """

    is_kind: ClassVar[bool] = True
    needs: ClassVar[type[Code]] = Code
    in_bound: ClassVar[bool] = False
    weight: float
    progress: Tensor | float = 1.0

    def beside(self, loss: Loss) -> Self:
        """Get to know the loss that the price is added to, before :meth:`build`; it is no member of the penalty."""
        return self

    def build(self, network: Network) -> Self:
        """Make the weights that the price itself needs."""
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """See the trip of some training rows once, before the first step."""
        return

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


class Rival(Penalty, ABC):
    """A penalty that learns against the network: it has weights, a loss and an optimizer of its own.

    :meth:`forward` is what the network pays for, with the rival's weights held still; :meth:`loss` is what the rival
    minimizes, on a trip through which no gradient reaches the network. A rival's price takes no part in validation,
    because it changes with the rival.

    Attributes
    ----------
    learning_rate : float
        Of the rival's own optimizer, Adam.
    """

    learning_rate: float

    @abstractmethod
    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        """What the rival itself minimizes: ``()``."""


class Sum(Several[Penalty], Penalty):
    """Several penalties, each at its own price; made by ``+``.

    >>> from diabolo.penalties import KL
    >>> KL(2.0) + KL(0.5)
    KL(weight=2.0, ...) + KL(weight=0.5, ...)
    """

    def __init__(self, members: tuple[Penalty, ...] = ()) -> None:
        self.members = nn.ModuleList(members)  # type: ignore[assignment]

    @property
    def weight(self) -> float:  # type: ignore[override]
        """A sum is paid in full; its terms have weights of their own."""
        return 1.0

    def terms(self) -> list[Penalty]:
        """The penalties that are added."""
        return list(self.members)

    def _replace(self, members: Any) -> None:
        self.members = nn.ModuleList(members)  # type: ignore[assignment]

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """Terms are judged one by one, by the objective."""
        raise NotImplementedError("A sum is taken apart by Objective; judge its terms().")


class Series(Several[Corruption], Corruption):
    """Several corruptions, one after the other; made by ``+``.

    >>> from diabolo.corruptions import GaussianNoise, Masking
    >>> GaussianNoise(0.1) + Masking(0.5)
    GaussianNoise(scale=0.1) + Masking(share=0.5)
    """

    def __init__(self, members: tuple[Corruption, ...] = ()) -> None:
        self.members = tuple(members)

    def steps(self) -> list[Corruption]:
        """The corruptions in their order."""
        return list(self.members)

    def of_columns(self, widths: Sequence[int]) -> None:
        """Tell every member."""
        for member in self.members:
            member.of_columns(widths)

    def build(self, shape: Shape) -> Self:
        """Prepare every member."""
        for member in self.members:
            member.build(shape)
        return self

    def __call__(self, x: Tensor) -> View:
        """Corrupt what the member before left; what one hid stays hidden."""
        view = View(x)
        for member in self.members:
            after = member(view.values)
            if view.hidden is not None:
                after = after.without(view.hidden)
            view = after
        return view


__all__ = [
    "Architecture",
    "Bottleneck",
    "Corruption",
    "Loss",
    "Penalty",
    "Rival",
    "Series",
    "Shape",
    "Sum",
    "kind_of",
]

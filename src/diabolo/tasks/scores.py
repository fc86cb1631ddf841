"""How strange a row is: one number each, views that an anomaly detector takes of a round trip and puts together."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..core.parts import Part, parameters, within
from ..core.roundtrip import Batch, RoundTrip
from ..estimators.base import Estimator
from ..training.seeding import own_randomness

NOISE = 0xD1AB  # the seed of the noise that rows are looked at through
TINY = 1e-12
REFERENCES = 10_000  # training rows that distances are measured to
SAME = 1e-6  # of a row's length: what is nearer than that is the row itself


class AnomalyScore(Part, ABC):
    """A number of at least 0 for each row, higher for stranger ones.

    What it compares with is learned from training rows. All is measured in the network's units; what is missing adds
    nothing, and a sum over cells is scaled up to what it would be if all were known. Nothing is drawn anew: a row has
    the same score in every call, alone and among others.
    """

    is_kind: ClassVar[bool] = True

    #: Whether a row's own presence among those learned from does not change its score, so that it may calibrate.
    leaves_one_out: ClassVar[bool] = False

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """See the round trips of training rows (of many, a sample) at once."""
        return

    @abstractmethod
    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """``(batch,)``."""

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor | None:
        """What each cell has to do with it, ``(batch, cells)``, at least 0; ``None`` where cells have no part of it."""
        return None

    def learned(self) -> dict[str, Tensor]:
        """What :meth:`learn` found, by name: the fields that are no parameters."""
        names = [field.name for field in dataclasses.fields(self) if not field.init]
        return {name: getattr(self, name) for name in names}


class CellScore(AnomalyScore, ABC):
    """A score that is a sum over cells."""

    @abstractmethod
    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """What each cell adds: ``(batch, cells)``, 0 where it is missing."""

    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """The sum over cells."""
        cells = self.cells(model, trip)
        known = trip.known_cells()
        return cells.sum(1) * (cells.shape[1] / known.clamp_min(1)) if isinstance(known, Tensor) else cells.sum(1)


@parameters
class ReconstructionError(CellScore):
    r"""What does not come back: :math:`\sum_j (x_j - \hat x_j)^2`.

    References
    ----------
    Outlier Detection Using Replicator Neural Networks, Hawkins, He, Williams and Baxter, 2002,
    doi:10.1007/3-540-46145-0_17.

    >>> from diabolo import Autoencoder
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> (trip,) = model.round_trips([[0.0, 1.0], [9.0, 9.0]])
    >>> ReconstructionError()(model, trip).argmax()
    tensor(1)
    """

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """Squared errors."""
        return known_only(trip, (model.expected(trip) - trip.target).square())


@parameters
class StandardizedError(CellScore):
    r"""What does not come back, in units of what is usual for each cell: :math:`\sum_j (x_j - \hat x_j)^2 / v_j`.

    :math:`v_j` is the mean square of cell :math:`j`'s errors on training rows, at least a hundredth of the mean of all
    cells. Cells that come back badly in every row then do not drown the others; on the other hand cells that come
    back well in every row, which may be noise to a user, weigh as much as all others.

    >>> from diabolo import Autoencoder
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> score, (trip,) = StandardizedError(), model.round_trips([[0.0, 1.0], [1.0, 0.0]])
    >>> score.learn(model, trip)
    >>> round(float(score(model, trip).sum()), 3)
    4.0
    """

    usual: Tensor = dataclasses.field(init=False)

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Measure the usual errors."""
        squares = known_only(trip, (model.expected(trip) - trip.target).square()).double()
        counts = len(squares) if trip.known is None else trip.known.flatten(1).sum(0).clamp_min(1)
        usual = squares.sum(0) / counts
        self.usual = usual.clamp_min(0.01 * float(usual.mean()) + TINY).float()

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """Squared errors in units of the usual ones."""
        return known_only(trip, (model.expected(trip) - trip.target).square()) / self.usual


@parameters
class DenoisingError(CellScore):
    r"""How badly noise is undone, over several strengths: :math:`\sum_\sigma \sum_j e_{\sigma j} / \bar e_\sigma`.

    .. math:: e_{\sigma j} = E_\epsilon\,\big(x_j - g(f(x + \sigma\epsilon))_j\big)^2

    and :math:`\bar e_\sigma` is its sum over the cells of a training row, on average. A network that learned to undo
    noise moves rows to where data lies: little noise asks how cells belong together, much noise how far away data is.

    Parameters
    ----------
    levels : tuple of float, default (0.1, 0.4, 1.6)
        The strengths :math:`\sigma` in the network's units, deviations of a column.
    draws : int, default 4
        Patterns of noise for each strength, each with its mirror image; the same for every row and every call.

    References
    ----------
    On Diffusion Modeling for Anomaly Detection, Livernoche, Jain, Hezaveh and Ravanbakhsh, 2024, arXiv:2305.18593.

    >>> from diabolo import DenoisingAutoencoder
    >>> X = [[0.0, 1.0], [1.0, 0.0]]
    >>> model = DenoisingAutoencoder(code_size=2, epochs=1, random_state=0).fit(X)
    >>> score, (trip,) = DenoisingError(), model.round_trips(X)
    >>> score.learn(model, trip)
    >>> round(float(score(model, trip).mean()), 3)
    3.0
    """

    levels: tuple[float, ...] = (0.1, 0.4, 1.6)
    draws: int = within(default=4, low=1)

    usual: Tensor = dataclasses.field(init=False)

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Measure the usual errors at each strength."""
        usual = torch.stack([self._errors(model, trip, level).double().sum(1).mean() for level in self.levels])
        self.usual = usual.clamp_min(TINY).float()

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """The mean squares of all strengths, each in units of its usual sum."""
        pairs = zip(self.levels, self.usual, strict=True)
        return torch.stack([self._errors(model, trip, level) / usual for level, usual in pairs]).sum(0)

    @torch.no_grad()
    def _errors(self, model: Estimator, trip: RoundTrip, level: float) -> Tensor:
        """Mean squares over patterns of noise: ``(batch, cells)``."""
        with own_randomness(NOISE, torch.device("cpu")):  # the same on every device
            noise = torch.randn(self.draws, *trip.target.shape[1:]).to(trip.target.device)
        squares = torch.zeros_like(trip.target)
        for pattern in (*noise, *-noise):
            again = model.objective_.travel(model.network_, Batch(trip.target + level * pattern, trip.known))
            squares += (model.expected(again) - trip.target).square()
        return known_only(trip, squares / (2 * self.draws))


@parameters
class ConditionalError(AnomalyScore):
    r"""The column that fits worst to all others: :math:`\max_j\ (x_j - E[x_j | x_{-j}])^2 / V[x_j | x_{-j}]`.

    Expectation and variance are those of a Gaussian with the training rows' mean :math:`\mu` and covariance
    :math:`\Sigma`, shrunk towards a multiple of the unit matrix. With :math:`P = \Sigma^{-1}` and
    :math:`g = P(x - \mu)`,

    .. math:: x_j - E[x_j | x_{-j}] = P_{jj}^{-1} g_j, \qquad \text{and its term is } g_j^\top P_{jj}^{-1} g_j / w_j

    where a column of :math:`w_j` cells (a category) is taken as one. A single value that is wrong is found by it where
    a sum over all cells is drowned.

    References
    ----------
    A well-conditioned estimator for large-dimensional covariance matrices, Ledoit and Wolf, 2004,
    doi:10.1016/S0047-259X(03)00096-4.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.1], [2.0, 1.9], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = ConditionalError()
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score(model, next(model.round_trips([[1.0, 1.0], [1.0, 2.0]]))).argmax()
    tensor(1)
    """

    center: Tensor = dataclasses.field(init=False)
    precision: Tensor = dataclasses.field(init=False)
    inverse: Tensor = dataclasses.field(init=False)

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Estimate mean and precision, missing cells counting as the mean, and invert each column's part of it."""
        from sklearn.covariance import ledoit_wolf

        rows, center = centered(trip)
        seen = rows if len(rows) > 1 else rows.repeat(2, 1)  # which has no spread either, and is no single sample
        covariance = torch.from_numpy(ledoit_wolf(seen.double().cpu().numpy(), assume_centered=True)[0])
        ridge = 1e-6 * float(covariance.diagonal().mean()) + TINY
        precision = torch.linalg.inv(covariance + ridge * torch.eye(len(covariance), dtype=torch.float64))
        parts = torch.split(precision, widths_of(model))
        starts = np.cumsum([0, *widths_of(model)]).tolist()
        blocks = [torch.linalg.inv(part[:, at : at + len(part)]) for part, at in zip(parts, starts, strict=False)]
        self.center, self.precision = center, kept(precision, rows)
        inverse: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
        self.inverse = kept(inverse, rows)

    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """The worst column's."""
        parts = torch.split(self.cells(model, trip), widths_of(model), dim=1)
        return torch.stack([part.mean(1) for part in parts], 1).amax(1).clamp_min(0)

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """Each cell's; of a category, the sum over its cells counts."""
        return known_only(trip, (self._pull(trip) * self._off(trip)).view_as(trip.target))

    def expected(self, trip: RoundTrip) -> Tensor:
        """What each column should be by all others: ``(batch, *shape)``."""
        return trip.target - self._off(trip).view_as(trip.target)

    def _pull(self, trip: RoundTrip) -> Tensor:
        """How steeply the density falls: :math:`g`."""
        return known_only(trip, trip.target - self.center.view(trip.target.shape[1:])) @ self.precision

    def _off(self, trip: RoundTrip) -> Tensor:
        """How far each column is from what all others expect."""
        return self._pull(trip) @ self.inverse


class NeighborScore(AnomalyScore, ABC):
    """The distance to the training row that is the k-th nearest, in some coordinates.

    A training row is not its own neighbor: one that lies where the judged row does is passed over, so that rows are
    judged alike whether they were trained on or not.

    Attributes
    ----------
    rows : Tensor
        The training rows' coordinates, of many rows a sample.
    """

    neighbors: int
    rows: Tensor

    @abstractmethod
    def place(self, trip: RoundTrip) -> Tensor:
        """Where a row lies: ``(batch, numbers)``."""

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Keep the training rows."""
        self.rows = kept(self.place(trip)[:REFERENCES], trip.target)

    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """The distance to the k-th nearest."""
        return self.nearest(trip, self.neighbors)[0][:, -1]

    def nearest(self, trip: RoundTrip, count: int) -> tuple[Tensor, Tensor]:
        """Distances to the nearest other training rows and their numbers among them: two of ``(batch, count)``, fewer
        where there are no more."""
        places = self.place(trip)
        distances = torch.cdist(places, self.rows, compute_mode="donot_use_mm_for_euclid_dist")
        found = distances.topk(min(count + 1, len(self.rows)), largest=False)
        itself = found.values[:, :1] <= SAME * places.norm(dim=1, keepdim=True)
        others = max(1, found.values.shape[1] - 1)
        chosen = (torch.arange(others, device=places.device) + itself).clamp_max(found.values.shape[1] - 1)
        return found.values.gather(1, chosen), found.indices.gather(1, chosen)


@parameters
class NeighborDistance(NeighborScore):
    r"""How far away the :math:`k`-th nearest training row is: :math:`\lVert x - x_{(k)}\rVert`.

    Rows far from all data are strange even where the network happens to bring them back. Missing cells count as 0, the
    mean of standardized columns.

    Parameters
    ----------
    neighbors : int, default 1
        :math:`k`. Where training rows are normal, the nearest one tells most, on tables this library was developed by
        (none of them of its benchmark); more are for rows that hold anomalies, which lie near to each other.

    References
    ----------
    Efficient Algorithms for Mining Outliers from Large Data Sets, Ramaswamy, Rastogi and Shim, 2000,
    doi:10.1145/342009.335437.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = NeighborDistance(neighbors=1)
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score.nearest(next(model.round_trips([[2.9, 2.9]])), 1)[1].tolist()
    [[3]]
    """

    leaves_one_out: ClassVar[bool] = True

    neighbors: int = within(default=1, low=1)

    rows: Tensor = dataclasses.field(init=False)

    def place(self, trip: RoundTrip) -> Tensor:
        """The data."""
        return trip.target.flatten(1)


@parameters
class WhitenedDistance(NeighborScore):
    r"""The same along principal axes, each divided by its :math:`\sqrt{\lambda_i + \rho\bar\lambda}`.

    :math:`\lambda_i` is the training rows' variance along an axis, so that a step across a narrow direction counts for
    more than one along a wide one. It finds rows that break the relations between columns, and loses some whose columns
    have different amounts of noise: of planted anomalies it finds more than
    :class:`~diabolo.tasks.scores.NeighborDistance`, of real ones fewer.

    Parameters
    ----------
    neighbors : int, default 5
    ridge : float, default 0.01
        :math:`\rho`, the share of the mean variance that keeps narrow directions from deciding alone.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = WhitenedDistance(neighbors=1)
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score.nearest(next(model.round_trips([[2.9, 2.9]])), 1)[1].tolist()
    [[3]]
    """

    neighbors: int = within(default=5, low=1)
    ridge: float = within(default=0.01, low=0.0)

    center: Tensor = dataclasses.field(init=False)
    turn: Tensor = dataclasses.field(init=False)
    rows: Tensor = dataclasses.field(init=False)

    def numbers(self, trip: RoundTrip) -> Tensor:
        """What is turned, ``(batch, numbers)``: the data; missing cells count as 0."""
        return trip.target.flatten(1)

    def place(self, trip: RoundTrip) -> Tensor:
        """Uncorrelated coordinates."""
        return (self.numbers(trip) - self.center) @ self.turn

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Find the axes, and keep the training rows."""
        rows = self.numbers(trip)[:REFERENCES].double()
        center = rows.mean(0)
        _, sizes, axes = torch.linalg.svd(rows - center, full_matrices=False)
        variance = sizes.square() / len(rows)
        turn = axes.mT / (variance + self.ridge * variance.mean() + TINY).sqrt()
        self.center, self.turn = kept(center, rows), kept(turn, rows)
        super().learn(model, trip)


@parameters
class CodeDistance(WhitenedDistance):
    r"""How far away the :math:`k`-th nearest training row is by its code, in uncorrelated coordinates.

    For pictures and signals, where the data itself has too many cells to compare.

    Parameters
    ----------
    neighbors : int, default 5
    ridge : float, default 0.01
        As of :class:`~diabolo.tasks.scores.WhitenedDistance`.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = CodeDistance(neighbors=1)
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score.nearest(next(model.round_trips([[2.9, 2.9]])), 1)[1].tolist()
    [[3]]
    """

    def numbers(self, trip: RoundTrip) -> Tensor:
        """The code; its mean where it is a distribution."""
        return trip.code.values.flatten(1)


@parameters
class CodeMahalanobis(AnomalyScore):
    r"""How far the code lies from all: :math:`(z - \mu)^\top (\Sigma + \rho\bar\lambda I)^{-1} (z - \mu)`.

    Parameters
    ----------
    ridge : float, default 0.01
        :math:`\rho`, as a share of the mean variance.

    References
    ----------
    A simple unified framework for detecting out-of-distribution samples and adversarial attacks, Lee, Lee, Lee and
    Shin, 2018, arXiv:1807.03888.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = CodeMahalanobis()
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score(model, next(model.round_trips([[1.5, 1.5], [9.0, 9.0]]))).argmax()
    tensor(1)
    """

    ridge: float = within(default=0.01, low=0.0)

    center: Tensor = dataclasses.field(init=False)
    precision: Tensor = dataclasses.field(init=False)

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Estimate middle and covariance of the codes."""
        codes = trip.code.values.flatten(1).double()
        center = codes.mean(0)
        covariance = (codes - center).mT @ (codes - center) / len(codes)
        ridge = self.ridge * float(covariance.diagonal().mean()) + TINY
        eye = torch.eye(len(covariance), dtype=torch.float64, device=codes.device)
        self.center, self.precision = kept(center, codes), kept(torch.linalg.inv(covariance + ridge * eye), codes)

    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """The squared distance."""
        off = trip.code.values.flatten(1) - self.center
        return ((off @ self.precision) * off).sum(1).clamp_min(0)


@parameters
class OutOfRange(CellScore):
    r"""How far cells lie outside of what training rows held: :math:`\sum_j \max(0,\ x_j - b_j,\ a_j - x_j)`.

    0 for every row inside the box, so that it only ever adds to other scores.

    >>> from diabolo import Autoencoder
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = Autoencoder(code_size=1, epochs=1, scaling="none", random_state=0).fit(X)
    >>> score = OutOfRange()
    >>> score.learn(model, next(model.round_trips(X)))
    >>> score(model, next(model.round_trips([[1.5, 0.5], [3.0, 5.0]]))).tolist()
    [0.0, 2.0]
    """

    low: Tensor = dataclasses.field(init=False)
    high: Tensor = dataclasses.field(init=False)

    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Find the ends of each cell."""
        absent = torch.zeros_like(trip.target, dtype=torch.bool) if trip.known is None else ~trip.known
        self.low = trip.target.masked_fill(absent, torch.inf).amin(0).nan_to_num(posinf=0.0)
        self.high = trip.target.masked_fill(absent, -torch.inf).amax(0).nan_to_num(neginf=0.0)

    def cells(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """How far each lies outside."""
        beyond = torch.maximum(trip.target - self.high, self.low - trip.target).clamp_min(0)
        return known_only(trip, beyond)


@parameters
class NegativeLogLikelihood(AnomalyScore):
    r"""The bound on :math:`-\log p(x)`, in nats above that of the likeliest training row, never below 0.

    What ``score_samples`` of a VAE tells; of other models, the loss.

    References
    ----------
    Variational autoencoder based anomaly detection using reconstruction probability, An and Cho, 2015,
    SNU Data Mining Center.

    >>> from diabolo import VAE
    >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.1], [3.0, 3.0]]
    >>> model = VAE(code_size=1, epochs=1, random_state=0).fit(X)
    >>> score = NegativeLogLikelihood()
    >>> score.learn(model, next(model.round_trips(X)))
    >>> float(score(model, next(model.round_trips(X))).min())
    0.0
    """

    least: Tensor = dataclasses.field(init=False)

    @torch.no_grad()
    def learn(self, model: Estimator, trip: RoundTrip) -> None:
        """Find the likeliest training row."""
        self.least = model.objective_.per_sample(trip, model.network_).min()

    @torch.no_grad()
    def __call__(self, model: Estimator, trip: RoundTrip) -> Tensor:
        """Nats above it."""
        return (model.objective_.per_sample(trip, model.network_) - self.least).clamp_min(0)


def widths_of(model: Estimator) -> list[int]:
    """How many neighboring cells make up each column."""
    modality = model.modality_
    return list(modality.widths or [1] * math.prod(modality.shape))


def kept(values: Tensor, like: Tensor) -> Tensor:
    """What is kept of a computation: in float32, rows one after the other, so that a file gives back the same bits."""
    return values.to(like.device, torch.float32).contiguous()


def known_only(trip: RoundTrip, cells: Tensor) -> Tensor:
    """Cells ``(batch, *shape)`` in a row, ``(batch, cells)``, with 0 where the data is missing."""
    return (cells if trip.known is None else cells * trip.known).flatten(1)


def centered(trip: RoundTrip) -> tuple[Tensor, Tensor]:
    """Rows less their mean, ``(batch, cells)``, with 0 where cells are missing, and the mean ``(cells,)``."""
    rows = known_only(trip, trip.target)
    counts = len(rows) if trip.known is None else trip.known.flatten(1).sum(0).clamp_min(1)
    center = rows.double().sum(0).div(counts).float()
    return known_only(trip, trip.target - center.view(trip.target.shape[1:])), center

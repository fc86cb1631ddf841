"""Why a row is strange: what was expected in each of its columns, and how surprising it is that this came."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.kinds import Loss
from ..core.roundtrip import RoundTrip
from ..data.choosing import open_data
from ..data.columns import DAY, Choice, Column, Levels, Moment, Number, Truth, parts_of
from ..data.frames import with_holes
from ..data.modality import Modality
from ..data.source import Source
from ..data.tables import Table
from ..estimators.base import Estimator
from ..losses import (
    AbsoluteError,
    BernoulliLikelihood,
    GaussianLikelihood,
    HeteroscedasticGaussian,
    HuberLoss,
    LaplaceLikelihood,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    StudentTLikelihood,
)
from ..losses.likelihood import SMALLEST_VARIANCE
from ..losses.pointwise import log_positive

SMALLEST_REFERENCE = 1e-4  # a hundredth of a column's deviation, squared


@dataclass(frozen=True)
class Reason:
    """What one cell of a row has to do with the row's surprise.

    Parameters
    ----------
    column : str
    observed, expected : object
        In the user's units.
    probability : float
        What the model gives the expected value, where it is one of several or missing; NaN for numbers and dates.
    surprise : float
        In nats.
    share : float
        Of the surprise of the whole row.

    >>> Reason("age", 300, 41, float("nan"), 12.0, 0.9).column
    'age'
    """

    column: str
    observed: Any
    expected: Any
    probability: float
    surprise: float
    share: float


@dataclass(frozen=True)
class Explanation:
    """What was expected of some rows, and how surprising each of their cells is.

    Parameters
    ----------
    columns : tuple of str
        The user's columns; pixels and other cells without a name are called by their place.
    observed, expected : ndarray of shape (rows, columns)
        In the user's units: floats, NaN where a cell is missing; objects, ``None`` where it is missing, for a table of
        columns of several kinds. There ``None`` is also what was expected where the surprise is, more than the value,
        that there is one.
    probability : ndarray of float64, ``(rows, columns)``
        What the model gives each expected value, where it is one of several, or a missing one; NaN for numbers and
        dates.
    surprise : ndarray of float64, ``(rows, columns)``
        In nats; 0 where a cell is missing.
    backend : str, or None
        The library of the user's frame, for :meth:`frame`.

    >>> told = Explanation(
    ...     ("a", "b"), np.array([[1.0, 9.0]]), np.array([[1.5, 2.0]]), np.full((1, 2), np.nan), np.array([[1.0, 3.0]])
    ... )
    >>> told.top(0, 1)[0].column, told.share.tolist()
    ('b', [[0.25, 0.75]])
    """

    columns: tuple[str, ...]
    observed: np.ndarray
    expected: np.ndarray
    probability: np.ndarray
    surprise: np.ndarray
    backend: str | None = None

    @property
    def total(self) -> np.ndarray:
        """Each row's surprise: ``(rows,)``."""
        return np.asarray(self.surprise.sum(1))

    @property
    def share(self) -> np.ndarray:
        """Each cell's share of its row's surprise, ``(rows, columns)``; 0 where nothing is surprising."""
        total = self.total[:, None]
        return np.divide(self.surprise, total, out=np.zeros_like(self.surprise), where=total > 0)

    def ranked(self, n: int) -> np.ndarray:
        """The columns of the ``n`` most surprising cells of each row, from the most surprising one: ``(rows, n)``."""
        order: np.ndarray = np.argsort(-self.surprise, axis=1, kind="stable")[:, :n]
        return order

    def top(self, row: int, n: int = 3) -> list[Reason]:
        """The most surprising cells of a row, ``n`` at most; cells that are no surprise at all are left out."""
        share = self.share[row]
        return [
            Reason(
                self.columns[at],
                self.observed[row, at],
                self.expected[row, at],
                float(self.probability[row, at]),
                float(self.surprise[row, at]),
                float(share[at]),
            )
            for at in np.argsort(-self.surprise[row], kind="stable")[:n].tolist()
            if self.surprise[row, at] > 0
        ]

    def frame(self) -> Any:
        """One line for each cell, as a frame of the user's library, or as a mapping of name to array without one.

        Its columns are ``row column observed expected probability surprise share``. Values are text where the table
        holds more than numbers, and ``None`` where a cell is missing.
        """
        rows, columns = self.surprise.shape
        mixed = self.observed.dtype == object
        made = {
            "row": np.repeat(np.arange(rows), columns),
            "column": np.tile(np.array(self.columns, dtype=object), rows),
            "observed": as_text(self.observed) if mixed else self.observed.ravel(),
            "expected": as_text(self.expected) if mixed else self.expected.ravel(),
            "probability": self.probability.ravel(),
            "surprise": self.surprise.ravel(),
            "share": self.share.ravel(),
        }
        if self.backend is None:
            return made
        import narwhals.stable.v2 as nw

        words = {name: values.tolist() if values.dtype == object else values for name, values in made.items()}
        library: Any = self.backend
        return nw.to_native(nw.from_dict(words, backend=library))


def as_text(values: np.ndarray) -> np.ndarray:
    """Objects in a row as text, ``None`` where they are missing.

    >>> as_text(np.array([[1, None]], dtype=object)).tolist()
    ['1', None]
    """
    made = np.empty(values.size, dtype=object)
    made[:] = [None if value is None else str(value) for value in values.ravel().tolist()]
    return made


@torch.no_grad()
def explain(model: Estimator, X: Any, *, reference: Any = None) -> Explanation:
    r"""Tell for each row and column what was expected, and how surprising it is that something else came.

    The surprise of a cell is what the loss :math:`\ell_j` asks for it above what it would ask for the value that the
    model takes to be likeliest, in nats, and never below 0:

    .. math:: s_j = \max\big(0,\ \ell_j(x_j) - \ell_j(\hat x_j)\big)

    For a likelihood that is :math:`\log p(\hat x_j) - \log p(x_j)`, so that numbers and categories can be compared:

    ======================================  ============================================================
    table of columns of several kinds       as above, :math:`\hat x` the likeliest value, summed over the column's cells
    Gaussian                                :math:`e^2/2\sigma^2`, with the variance remembered from held-out rows
    Gaussian of predicted variance          :math:`e^2/2v`, with the variance predicted for this very cell
    squared error                           :math:`e^2/2`, a Gaussian of variance 1
    Laplace, absolute error                 :math:`|e|/b`, :math:`|e|`
    Huber, Student t                        :math:`\rho_\delta(e)`, the logarithm of the bell's height over its tail
    cross entropy                           :math:`(p - x)\,\mathrm{logit}\,p`: 0 for a shade that was expected
    counts                                  as above, :math:`\hat x` the expected count
    pictures compared by features           :math:`e^2/2`, as of the squared error: these losses know no cells
    ======================================  ============================================================

    A number that the model reconstructs badly in every row is surprising in every row under a loss that has one
    variance for all (the default for arrays); ``reference`` gives each cell its own.

    Parameters
    ----------
    model : fitted Estimator
        One that cannot copy a strange value tells best: a :class:`~diabolo.VAE`, a
        :class:`~diabolo.MaskedAutoencoder`, which never sees what it predicts, or a small code.
    X : data of the kind that was fitted
    reference : data of the kind that was fitted, or None
        Rows that are held to be normal, such as the training data. Each cell is then a Gaussian whose variance is its
        mean squared error there. ``None``: as the loss has it, so that a row's explanation needs no other rows. A table
        of columns of several kinds has a variance for each column already, and takes none.

    Returns
    -------
    Explanation

    Raises
    ------
    DataError, ShapeError
        If the data is not of the kind that was fitted.
    ValueError
        If there is a ``reference`` for a loss that judges each column by itself.

    References
    ----------
    The surprise in relation to the likeliest value is the log relative likelihood of Likelihood, Edwards, 1972, and
    half the unit deviance of Generalized Linear Models, McCullagh and Nelder, 1989, doi:10.1007/978-1-4899-3242-6,
    where the mean is the likeliest value.

    >>> import pandas as pd
    >>> from diabolo import MaskedAutoencoder
    >>> frame = pd.DataFrame({"cm": [150.0, 160.0, 170.0, 180.0] * 30, "inch": [59.1, 63.0, 66.9, 70.9] * 30})
    >>> model = MaskedAutoencoder(code_size=2, epochs=30, random_state=0).fit(frame.assign(unit="cm and inch"))
    >>> strange = pd.DataFrame({"cm": [150.0], "inch": [70.9], "unit": ["cm and inch"]})
    >>> told = explain(model, strange)
    >>> sorted(reason.column for reason in told.top(0, 2))
    ['cm', 'inch']
    """
    source, modality, loss = open_data(X), model.modality_, model.objective_.loss
    modality.refuse_other_shape(source)
    variance = None
    if reference is not None:
        if hasattr(loss, "surprise"):
            raise ValueError(
                f"{type(loss).__name__} judges each column by a variance of its own, learned from held-out rows; leave "
                "reference out."
            )
        variance = error_variance(model, reference)
    expected, cells = [], []
    for part in model.round_trips(source):
        trip = part.float()
        expected.append(model.expected(trip).cpu())
        nats = cell_surprise(loss, trip) if variance is None else own_squares(model, trip) / variance / 2
        nats = nats if trip.known is None else torch.where(trip.known, nats, 0.0)
        cells.append(modality.to_user(nats.double().cpu().numpy()).reshape(len(nats), -1))
    means, surprise = torch.cat(expected), np.concatenate(cells)
    backend = source.backend or modality.facts.get("backend")
    if isinstance(modality, Table) and modality.columns:
        return of_columns(modality, source, means, surprise, backend)
    aligned = modality.aligned(source)
    observed = np.asarray(aligned.read(0, source.rows), dtype=np.float64).reshape(source.rows, -1)
    user = np.asarray(modality.scaling.backward(modality.to_user(means.numpy())), dtype=np.float64)
    nothing = np.full(observed.shape, np.nan)
    return Explanation(
        tuple(modality.column_names()), observed, user.reshape(observed.shape), nothing, surprise, backend
    )


def of_columns(modality: Table, source: Source, means: Tensor, cells: np.ndarray, backend: str | None) -> Explanation:
    """Cells of a table of columns of several kinds, put together by column."""
    rows, columns, dtypes = source.rows, modality.columns, modality.facts["dtypes"]
    decoded, wholes = modality.decoded(means), means.double().numpy()
    surprise = sum_by_column(cells, modality)
    probability = np.full((rows, len(columns)), np.nan)
    observed, expected = (np.empty((rows, len(columns)), dtype=object) for _ in range(2))
    start = 0
    for at, (column, dtype) in enumerate(zip(columns, dtypes, strict=True)):
        raw = source.column(at, 0, rows)
        values = raw.values.copy()
        if values.dtype.kind == "f":
            values[~raw.known] = 0.0
        observed[:, at] = plain_values(values, column, dtype, ~raw.known)
        expected[:, at] = plain_values(decoded[column.name], column, dtype, None)
        hole = start + column.own_width
        probability[:, at] = probability_of(column, wholes[:, start:hole])
        if column.holes:
            there = raw.known & (cells[:, hole] > cells[:, start:hole].sum(1))
            expected[there, at], probability[there, at] = None, wholes[there, hole].clip(0, 1)
        surprise[~raw.known, at] = 0.0
        if isinstance(column, Number):  # many places on a curve are one value: what came as expected surprises nobody
            surprise[observed[:, at] == expected[:, at], at] = 0.0
        start += column.width
    return Explanation(tuple(column.name for column in columns), observed, expected, probability, surprise, backend)


def sum_by_column(cells: np.ndarray, modality: Modality) -> np.ndarray:
    """Sums over the cells of each of the user's columns: ``(rows, cells) -> (rows, columns)``.

    >>> from diabolo.data.choosing import open_data
    >>> import pandas as pd
    >>> table = Table.fit(open_data(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})), "auto")
    >>> sum_by_column(np.array([[1.0, 2.0, 3.0, 4.0]]), table).tolist()
    [[1.0, 9.0]]
    """
    widths = modality.widths
    if widths is None:
        return cells
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    return np.asarray(np.add.reduceat(cells, starts, axis=1))


def plain_values(values: np.ndarray, column: Column, dtype: str, holes: np.ndarray | None) -> np.ndarray:
    """A column as Python's own values: whole numbers, dates and durations as such, ``None`` where it has holes."""
    cells = with_holes(values, column, dtype, holes)
    if isinstance(column, Moment) and column.text is None and column.unit % DAY == 0 and values.dtype.kind == "M":
        cells = [None if cell is None else cell.date() for cell in cells]
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def probability_of(column: Column, cells: np.ndarray) -> np.ndarray:
    """What a column's cells give to the value that is expected, ``(rows,)``; NaN where it is no choice."""
    shares = np.clip(cells, 0.0, 1.0)
    if isinstance(column, Truth):
        return np.asarray(np.maximum(shares[:, 0], 1 - shares[:, 0]))
    if isinstance(column, Levels):
        falling = np.minimum.accumulate(shares, axis=1)
        edges = np.concatenate([np.ones((len(cells), 1)), falling, np.zeros((len(cells), 1))], axis=1)
        places = np.minimum(np.rint(shares.sum(1)).astype(int), len(column.levels) - 1)
        return np.asarray((edges[:, :-1] - edges[:, 1:])[np.arange(len(cells)), places])
    if isinstance(column, Choice):
        size, base = len(column.values), column.base
        if base is None:
            return np.asarray(shares[:, :size].max(1))
        pairs = ((part[:, :base, None] * part[:, None, base + 1 : -1]) for part in parts_of(shares))
        return np.concatenate([pair.reshape(len(pair), -1)[:, :size].max(1) for pair in pairs])
    return np.full(len(cells), np.nan)


def own_squares(model: Estimator, trip: RoundTrip) -> Tensor:
    """Squared errors of the known cells: ``(batch, *shape)``."""
    squares = (model.expected(trip) - trip.target).square()
    return squares if trip.known is None else squares * trip.known


def error_variance(model: Estimator, X: Any) -> Tensor:
    """Each cell's mean squared error over rows that know it, in the network's units; 1 where none does."""
    lost: Tensor | None = None
    counts: Tensor | None = None
    for trip in model.round_trips(X):
        squares = own_squares(model, trip.float()).double()
        known = torch.ones_like(squares) if trip.known is None else trip.known.double()
        lost = squares.sum(0) if lost is None else lost + squares.sum(0)
        counts = known.sum(0) if counts is None else counts + known.sum(0)
    assert lost is not None
    assert counts is not None
    variance = (lost / counts.clamp_min(1)).clamp_min(SMALLEST_REFERENCE)
    return torch.where(counts > 0, variance, 1.0).float()


@singledispatch
def cell_surprise(loss: Loss, trip: RoundTrip) -> Tensor:
    """Nats that each cell costs above the likeliest value: ``(batch, *shape)``; what is not known means nothing.

    A loss with a ``surprise`` of its own is asked for it; any other that is not known here is taken as a Gaussian of
    variance 1.
    """
    own = getattr(loss, "surprise", None)
    if own is not None:
        told: Tensor = own(trip)
        return told
    return (loss.mean(trip.output) - trip.target).square() / 2


@cell_surprise.register
def _(loss: GaussianLikelihood, trip: RoundTrip) -> Tensor:
    squares = (loss.mean(trip.output) - trip.target).square()
    return squares / loss.remembered().clamp_min(SMALLEST_VARIANCE).float() / 2


@cell_surprise.register
def _(loss: HeteroscedasticGaussian, trip: RoundTrip) -> Tensor:
    return (loss.mean(trip.output) - trip.target).square() / loss.variance(trip.output) / 2


@cell_surprise.register
def _(loss: AbsoluteError, trip: RoundTrip) -> Tensor:
    return (loss.mean(trip.output) - trip.target).abs()


@cell_surprise.register
def _(loss: HuberLoss, trip: RoundTrip) -> Tensor:
    return functional.huber_loss(loss.mean(trip.output), trip.target, reduction="none", delta=loss.delta)


@cell_surprise.register
def _(loss: LaplaceLikelihood, trip: RoundTrip) -> Tensor:
    errors = (loss.mean(trip.output) - trip.target).abs()
    return errors / loss.remembered().clamp_min(SMALLEST_VARIANCE**0.5).to(errors)


@cell_surprise.register
def _(loss: StudentTLikelihood, trip: RoundTrip) -> Tensor:
    squares = (loss.mean(trip.output) - trip.target).square()
    variance = loss.remembered().clamp_min(SMALLEST_VARIANCE).to(squares)
    return (loss.degrees + 1) / 2 * (squares / (loss.degrees * variance)).log1p()


@cell_surprise.register
def _(loss: BernoulliLikelihood, trip: RoundTrip) -> Tensor:
    return ((trip.output.sigmoid() - trip.target) * trip.output).clamp_min(0.0)


@cell_surprise.register
def _(loss: PoissonLikelihood, trip: RoundTrip) -> Tensor:
    counts, log_rate = trip.target.double(), log_positive(trip.output.double())
    rate = log_rate.exp()
    asked = (rate - counts) * log_rate + (counts + 1).lgamma() - (rate + 1).lgamma()
    return asked.clamp_min(0.0).to(trip.output)


@cell_surprise.register
def _(loss: NegativeBinomialLikelihood, trip: RoundTrip) -> Tensor:
    asked = loss.cells(trip.target, trip.output) - loss.cells(loss.mean(trip.output), trip.output)
    return asked.clamp_min(0.0)

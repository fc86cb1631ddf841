"""Why a row is strange: what was expected in each of its columns, and how surprising it is that this came."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.kinds import Loss
from ..core.roundtrip import RoundTrip
from ..data.choosing import open_data
from ..data.explained import Explanation, explained
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
    return explained(modality, source, torch.cat(expected), np.concatenate(cells))


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

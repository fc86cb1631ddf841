"""What the numbers of a code stand for: which columns drive them, and which columns they drive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..core.codes import DiscreteCode
from ..core.errors import DataError
from ..core.roundtrip import RoundTrip, View
from ..data.modality import Modality
from ..data.tables import Table
from ..estimators.base import Estimator

STILL = 1e-12  # the deviation, in the network's units, of what does not move


@dataclass(frozen=True)
class Loadings:
    r"""How codes and columns move each other, in units of their standard deviations.

    Parameters
    ----------
    columns : tuple of str
        The user's columns; cells without a name are called by their place.
    coefficients : ndarray of float64, ``(code_size, columns)``
        How many deviations a code rises when a column rises by one: :math:`\sigma_j/\sigma_k\;\overline{\partial
        z_k/\partial x_j}`. In factor analysis these are the standardized score coefficients.
    loadings : ndarray of float64, ``(code_size, columns)``
        How many deviations what comes back of a column rises when a code rises by one:
        :math:`\sigma_k/\sigma_j\;\overline{\partial \hat x_j/\partial z_k}`. For PCA these are its loadings, and the
        correlations of columns and components.
    coefficient_sizes, loading_sizes : ndarray of float64, ``(code_size, columns)``
        The same with root mean squares over the rows in place of means: where they are much larger, the influence
        turns its sign among the rows, and the mean says little.

    >>> told = Loadings(("a", "b"), np.eye(2), np.array([[0.1, -0.9], [1.0, 0.0]]), np.eye(2), np.eye(2))
    >>> told.top(0, 1)
    [('b', -0.9)]
    """

    columns: tuple[str, ...]
    coefficients: np.ndarray
    loadings: np.ndarray
    coefficient_sizes: np.ndarray
    loading_sizes: np.ndarray

    def top(self, code: int, n: int = 5) -> list[tuple[str, float]]:
        """The columns that a number of the code stands for most, by their loadings."""
        row = self.loadings[code]
        return [(self.columns[at], float(row[at])) for at in np.argsort(-np.abs(row), kind="stable")[:n].tolist()]


def loadings(model: Estimator, X: Any) -> Loadings:
    r"""Measure which columns drive each number of a code, and which columns it drives: mean Jacobians over data.

    .. math:: C_{kj} = \frac{\sigma_j}{\sigma_k}\,\frac1n \sum_i \frac{\partial z_k}{\partial x_j}(x_i), \qquad
              L_{kj} = \frac{\sigma_k}{\sigma_j}\,\frac1n \sum_i \frac{\partial \hat x_j}{\partial z_k}(z_i)

    Deviations :math:`\sigma` are those of the data and of its codes. A column of one cell keeps its sign; one of
    several (categories, dates) has the Euclidean length over its cells, which has none. Missing cells take no part. For
    a linear autoencoder :math:`L` is PCA's loadings :math:`v_{kj}\sqrt{\lambda_k}/\sigma_j`, and
    :math:`C_{kj} = v_{kj}\,\sigma_j/\sqrt{\lambda_k}`, up to a component's sign.

    Parameters
    ----------
    model : fitted Estimator
        Codes that are distributions are taken at their means.
    X : data of the kind that was fitted
        Some thousand rows are enough; the time grows with rows and numbers of the code.

    Returns
    -------
    Loadings

    Raises
    ------
    ValueError
        If the code is made of symbols, which have no derivative.

    References
    ----------
    Principal Component Analysis, Jolliffe, 2002, doi:10.1007/b98835 (section 2.3, loadings); Visualizing higher-layer
    features of a deep network, Erhan, Bengio, Courville and Vincent, 2009 (derivatives of units by inputs).

    >>> from diabolo import LinearAutoencoder
    >>> from sklearn.datasets import load_iris
    >>> iris = load_iris(as_frame=True).data
    >>> told = loadings(LinearAutoencoder(code_size=1, scaling="standard").fit(iris), iris)
    >>> told.top(0, 1)[0][0]
    'petal length (cm)'
    """
    found = Sums()
    for part in model.round_trips(X):
        trip = part.float()
        if isinstance(trip.code, DiscreteCode):
            raise ValueError(
                f"The model gives a {type(trip.code).__name__}, which is made of symbols and has no derivative; "
                "loadings can be told of models whose code is numbers."
            )
        found.add(model, trip)
    return found.finish(model.modality_)


class Sums:
    """Sums of derivatives and of moments over stretches of rows, in float64."""

    def __init__(self) -> None:
        self.held: dict[str, Tensor] = {}

    def gather(self, name: str, values: Tensor) -> None:
        """Add to a sum."""
        values = values.double().cpu()
        self.held[name] = self.held[name] + values if name in self.held else values

    def add(self, model: Estimator, trip: RoundTrip) -> None:
        """Take in a stretch of rows."""
        known = torch.ones_like(trip.target) if trip.known is None else trip.known.float()
        known, target, codes = known.flatten(1), trip.target.flatten(1), trip.code.values.flatten(1)
        if "center" not in self.held:  # of the first stretch, so that squares lose no digits
            self.held["center"] = target.double().cpu().mean(0)
            self.held["code center"] = codes.double().cpu().mean(0)
        away = (target.double() - self.held["center"].to(target.device)) * known
        moved = codes.double() - self.held["code center"].to(codes.device)
        self.gather("rows", torch.tensor(float(len(target))))
        self.gather("known", known.sum(0))
        for name, values in (("x", away), ("z", moved)):
            self.gather(name, values.sum(0))
            self.gather(f"{name} squares", values.square().sum(0))
        for name, jacobian in (("encoder", encoder_jacobian), ("decoder", decoder_jacobian)):
            means, squares = [], []
            for rows in jacobian(model, trip):  # one number of the code after the other: (batch, cells)
                rows = rows.double() * known
                means.append(rows.sum(0))
                squares.append(rows.square().sum(0))
            self.gather(name, torch.stack(means))
            self.gather(f"{name} squares", torch.stack(squares))

    def finish(self, modality: Modality) -> Loadings:
        """Means in units of deviations, by the user's columns."""
        sums = {name: values.numpy() for name, values in self.held.items()}
        known = np.maximum(sums["known"], 1)
        deviation = deviation_of(sums["x"], sums["x squares"], known)
        spread = deviation_of(sums["z"], sums["z squares"], sums["rows"])[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(spread > STILL, deviation / spread, 0.0)
            down = np.where(deviation > STILL, spread / deviation, 0.0)
        mean = {name: sums[name] / known * unit for name, unit in (("encoder", up), ("decoder", down))}
        size = {
            name: np.sqrt(sums[f"{name} squares"] / known) * unit for name, unit in (("encoder", up), ("decoder", down))
        }
        parts = [by_column(values, modality) for values in (*mean.values(), *size.values())]
        return Loadings(columns_of(modality), *parts)


def deviation_of(total: np.ndarray, squares: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Standard deviations from sums."""
    return np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0.0))


def columns_of(modality: Modality) -> tuple[str, ...]:
    """The user's columns by name."""
    if isinstance(modality, Table) and modality.columns:
        return tuple(column.name for column in modality.columns)
    return tuple(modality.column_names())


def by_column(cells: np.ndarray, modality: Modality) -> np.ndarray:
    """Cells of the network put together by the user's columns, those that tell of holes left out."""
    if not (isinstance(modality, Table) and modality.columns):
        return modality.to_user(cells.reshape(len(cells), *modality.shape)).reshape(len(cells), -1)
    made, start = [], 0
    for column in modality.columns:
        own = cells[:, start : start + column.own_width]
        made.append(own[:, 0] if column.own_width == 1 else np.sqrt(np.square(own).sum(1)))
        start += column.width
    return np.stack(made, axis=1)


def encoder_jacobian(model: Estimator, trip: RoundTrip) -> Iterator[Tensor]:
    """The derivative of each number of the code by the cells that the encoder saw: ``(batch, cells)``, one by one."""
    network = model.network_
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        values = trip.seen.values.detach().requires_grad_()
        codes = network.bottleneck(network.features(View(values, trip.seen.hidden))).values.flatten(1)
    for number in range(codes.shape[1]):
        yield derivative(codes, number, values)


def decoder_jacobian(model: Estimator, trip: RoundTrip) -> Iterator[Tensor]:
    """The derivative of what comes back by each number of the code: ``(batch, cells)``, one by one.

    The gradient of a weighed sum of the cells is linear in the weights; its own derivative by them is a column of the
    Jacobian. So it takes as many passes as the code has numbers, however many cells there are.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
        codes = trip.code.values.detach().requires_grad_()
        expected = model.objective_.loss.mean(model.network_.decoder(codes)).flatten(1)
        weights = torch.ones_like(expected, requires_grad=True)
        (slopes,) = torch.autograd.grad(expected, codes, weights, create_graph=True)
        slopes = slopes.flatten(1)
    for number in range(slopes.shape[1]):
        yield derivative(slopes, number, weights)


def derivative(of: Tensor, number: int, by: Tensor) -> Tensor:
    """Each row's gradient of one of its numbers, flat; what it does not depend on has a gradient of 0."""
    along = torch.zeros_like(of)
    along[:, number] = 1.0
    (found,) = torch.autograd.grad(of, by, along, retain_graph=True, allow_unused=True, materialize_grads=True)
    return found.flatten(1)


@dataclass(frozen=True)
class Stability:
    """Whether fits with other seeds find the same numbers again.

    Parameters
    ----------
    agreement : ndarray of float64, ``(code_size,)``
        For each number of the first fit's code, the mean absolute correlation with its partner in the other fits: 1 if
        it is always found again, near 0 if its meaning is an accident of the seed.
    partners : ndarray of int, ``(other fits, code_size)``
        Which number of each other fit is the partner.

    >>> Stability(np.array([0.9, 0.5]), np.array([[1, 0]])).mean
    0.7
    """

    agreement: np.ndarray
    partners: np.ndarray

    @property
    def mean(self) -> float:
        """The mean over all numbers of the code."""
        return float(self.agreement.mean())


def loadings_stability(estimator: Estimator, X: Any, seeds: Sequence[int] = (0, 1, 2)) -> Stability:
    r"""Fit with several seeds and tell how far each number of the code means the same again.

    The numbers of two fits are matched one to one so that the sum of their absolute correlations over ``X`` is
    largest, :math:`\max_\pi \sum_k |\rho(z_k, z'_{\pi(k)})|`. What an autoencoder finds is often a subspace in an
    arbitrary basis: before a number of a code is given a name, it should be found again by another seed.

    Parameters
    ----------
    estimator : Estimator
        Cloned; fitted or not, it stays as it is.
    X : data to fit, and to compare the codes on
    seeds : sequence of int, default (0, 1, 2)
        At least two, all different.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError
        With fewer than two different seeds.

    References
    ----------
    The Hungarian Method for the assignment problem, Kuhn, 1955, doi:10.1002/nav.3800020109.
    Unsupervised Model Selection for Variational Disentangled Representation Learning, Duan, Matthey, Saraiva, Watters,
    Burgess, Lerchner and Higgins, 2019, arXiv:1905.12614 (models are compared over seeds).

    >>> from diabolo import LinearAutoencoder
    >>> from sklearn.datasets import load_iris
    >>> round(loadings_stability(LinearAutoencoder(code_size=2), load_iris().data, seeds=(0, 1)).mean, 3)
    1.0
    """
    from scipy.optimize import linear_sum_assignment

    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds came as {list(seeds)}; give at least two, all different.")
    codes = [clone(estimator).set_params(random_state=seed).fit(X).transform(X).astype(np.float64) for seed in seeds]
    if len(codes[0]) < 2:
        raise DataError("One row has no correlations; give more.")
    agreement, partners = [], []
    for other in codes[1:]:
        found = np.abs(correlations(codes[0], other))
        mine, theirs = linear_sum_assignment(-found)
        agreement.append(found[mine, theirs])
        partners.append(theirs)
    return Stability(np.mean(agreement, axis=0), np.stack(partners))


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlations of all columns of two matrices; 0 for columns that do not move.

    >>> correlations(np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([[3.0], [1.0]])).round(6).tolist()
    [[-1.0], [0.0]]
    """
    parts = []
    for values in (one, other):
        away = values - values.mean(0)
        length = np.linalg.norm(away, axis=0)
        moves = length > STILL * np.sqrt(len(values))
        parts.append(np.divide(away, length, out=np.zeros_like(away), where=moves))
    return np.clip(parts[0].T @ parts[1], -1.0, 1.0)

"""The linear and the denoising autoencoder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ..architectures import MLP, Linear
from ..architectures.linear import Completing
from ..bottlenecks import Identity
from ..core.kinds import Corruption
from ..core.network import Network
from ..core.objective import Recipe
from ..core.parts import as_part, choice, parameters, within
from ..core.roundtrip import Batch
from ..corruptions import GaussianNoise
from ..data.modality import Modality
from ..data.source import Source
from ..losses import SquaredError
from ..training import Batches, History, Watcher
from ..training.checkpoint import Checkpoint
from .base import Estimator
from .planning import Plan

FILLING_ROUNDS = 500
SETTLED = 1e-7
TINY_SHARE = 1e-15  # of an axis
LEAST_NOISE = 1e-8  # of the largest variance
MOST_SQUARED = 2000  # cells; beyond, rows are decomposed themselves instead of their covariance


@parameters
class LinearAutoencoder(Estimator):
    r"""Two matrices: :math:`\min_{W,V}\ \tfrac1n\sum_i \lVert x_i - \bar x - V W (x_i - \bar x)\rVert^2`.

    Its optimum spans the subspace of the first principal components. The exact solver gives these themselves, ordered
    and orthogonal; the gradient finds the same subspace in a basis of its own. For what is missing in a row
    the exact one's encoder takes what the known cells let expect, by the covariance of the training rows; the other's
    takes zero.

    Parameters
    ----------
    solver : {"exact", "gradient"}, default "exact"
        In closed form by eigenvectors (missing cells filled in by repetition), or trained.
    scaling : str, default "center"
        Only the mean is taken off, as PCA does; ``"standard"`` gives the PCA of the correlations.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Neural Networks and Principal Component Analysis: Learning from Examples Without Local Minima, Baldi and Hornik,
    1989, doi:10.1016/0893-6080(89)90014-2.

    >>> from diabolo import LinearAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> X = load_digits().data
    >>> ours, pca = LinearAutoencoder(code_size=3).fit(X).reconstruct(X), PCA(3).fit(X)
    >>> bool(abs(ours - pca.inverse_transform(pca.transform(X))).max() < 1e-3)
    True
    """

    scaling: str = choice("auto", "standard", "unit", "center", "none", default="center")
    solver: str = choice("exact", "gradient", default="exact")

    def check_parameters(self) -> None:
        """Refuse what would not be linear."""
        super().check_parameters()
        for name in ("architecture", "loss"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"LinearAutoencoder: {name} came as {getattr(self, name)!r}, but a linear autoencoder has no other "
                    f"than its own. Leave it out, or use Autoencoder({name}=...)."
                )

    def _plan(self, source: Source, seed: int, degraded: Any = None) -> Plan:
        if self.closed_form and degraded is not None:
            raise ValueError(
                "LinearAutoencoder: solver='exact' takes no degraded data; use solver='gradient' to learn from pairs."
            )
        return super()._plan(source, seed, degraded)

    def recipe(self) -> Recipe:
        """Nothing but two matrices."""
        return Recipe(Identity(), loss=SquaredError(), architecture=Linear())

    def _network(self, modality: Modality, *parts: Any) -> Network:
        network = super()._network(modality, *parts)
        if self.closed_form:
            size = network.bottleneck.size
            assert size is not None
            network.encoder = Completing(math.prod(modality.shape), size)
        return network

    @property
    def closed_form(self) -> bool:
        """The exact solver trains nothing."""
        return self.solver == "exact"

    def _learn(self, plan: Plan, history: History, watchers: Sequence[Watcher], checkpoint: Checkpoint | None) -> None:
        if not self.closed_form:
            super()._learn(plan, history, watchers, checkpoint)
            return
        started = monotonic()
        size = plan.network.bottleneck.size
        assert size is not None
        mean, variances, axes, rounds = principal_axes(plan.batches, plan.validation, size)
        self._set_weights(plan, mean, axes)
        assert isinstance(plan.network.encoder, Completing)
        plan.network.encoder.teach(mean, loadings_of(variances, axes))
        lost = rows = 0.0
        with torch.no_grad():
            plan.network.eval()
            for batch in every_batch(plan.batches, plan.validation):
                trip = plan.objective.travel(plan.network, batch)
                lost, rows = lost + float(plan.objective.loss(trip).sum()), rows + len(batch)
        row = {"epoch": 0, "loss": lost / rows, "rounds": rounds, "seconds": round(monotonic() - started, 3)}
        history.rows.append(row)

    @property
    def components_(self) -> np.ndarray:
        """What each number of the code adds to the data, ``(code_size, *shape)``: PCA's loadings, up to sign.

        Trained by gradient they span the same subspace in a basis of their own.
        """
        check_is_fitted(self, "network_")
        matrix = decoding(self.network_).weight.detach().cpu().numpy()
        return matrix.T.reshape(-1, *self.modality_.shape).astype(np.float64)

    @property
    def projection_(self) -> np.ndarray:
        """The round trip as one matrix :math:`VW`, ``(cells, cells)``: a projection onto the components."""
        check_is_fitted(self, "network_")
        project = self.network_.bottleneck.project
        assert isinstance(project, nn.Linear)
        return (decoding(self.network_).weight @ project.weight).detach().cpu().numpy()

    @torch.no_grad()
    def _set_weights(self, plan: Plan, mean: Tensor, axes: Tensor) -> None:
        """Encode by the axes, decode by their transpose."""
        project, back = plan.network.bottleneck.project, decoding(plan.network)
        assert isinstance(project, nn.Linear)
        project.weight.copy_(axes)
        project.bias.copy_(-(axes @ mean))
        back.weight.copy_(axes.T)
        back.bias.copy_(mean)


def decoding(network: Network) -> nn.Linear:
    """The one matrix of a linear decoder."""
    back = next(network.decoder.children())
    assert isinstance(back, nn.Linear)
    return back


@parameters
class DeepAutoencoder(Estimator):
    r"""Four layers down and four up: :math:`\min_{f,g}\ \tfrac1n\sum_i \ell\big(x_i,\, g(f(x_i))\big)`.

    The network of 2006 that brought deep autoencoders back: 1000-500-250 and a code of 30 numbers. Muon and a decoder
    that begins at the data's mean take the place of its layer-wise pretraining.

    Parameters
    ----------
    code_size : int, default 30
        The paper's, for pictures of digits.
    tied : bool, default False
        The decoder uses the encoder's weights, transposed, as the pretrained layers did before fine-tuning.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Reducing the Dimensionality of Data with Neural Networks, Hinton and Salakhutdinov, 2006,
    doi:10.1126/science.1127647.

    >>> from diabolo import DeepAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> DeepAutoencoder(epochs=1, random_state=0).fit(X).transform(X).shape
    (1797, 30)
    """

    code_size: int = within(default=30, low=1)
    tied: bool = False

    def recipe(self) -> Recipe:
        """A plain code at the end of wide layers."""
        return Recipe(Identity(), architecture=MLP(hidden=(1000, 500, 250), tied=self.tied))


def every_batch(batches: Batches, validation: Batches | None) -> Iterator[Batch]:
    """All rows: what has a closed form needs no validation part."""
    yield from batches.ordered()
    if validation is not None:
        yield from validation.ordered()


@torch.no_grad()
def principal_axes(batches: Batches, validation: Batches | None, size: int) -> tuple[Tensor, Tensor, Tensor, int]:
    """Mean, all variances, first principal axes ``(size, cells)`` and the rounds it took; axes beyond the data's rank
    are zero.

    Missing cells are filled by the reconstruction of the round before until that settles (expectation-maximization
    for PCA with missing data).
    """
    mean = axes = torch.zeros(0, dtype=torch.float64)
    captured = 0.0
    for done in range(1, FILLING_ROUNDS + 1):
        stretches = (filled(batch, mean, axes) for batch in every_batch(batches, validation))
        mean, variances, axes = leading_axes(stretches, size)
        now = float(variances[:size].sum())
        missing = done > 1 or any(batch.known is not None for batch in every_batch(batches, validation))
        if not missing or abs(now - captured) <= SETTLED * max(now, 1e-300):
            break
        captured = now
    return mean, variances, axes, done


def filled(batch: Batch, mean: Tensor, axes: Tensor) -> Tensor:
    """Rows in float64, ``(batch, cells)``, what is missing in them as the last round would reconstruct it."""
    rows = batch.values.flatten(1).double()
    if batch.known is None:
        return rows
    known = batch.known.flatten(1)
    if not len(mean):
        return torch.where(known, rows, 0.0)
    centered = torch.where(known, rows - mean, 0.0)
    return torch.where(known, rows, (centered @ axes.T) @ axes + mean)


def leading_axes(stretches: Iterator[Tensor], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, all variances and the first principal axes; by rows where these are fewer than cells."""
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    rows: list[Tensor] = []
    for stretch in stretches:
        count, total = count + len(stretch), total + stretch.sum(0)
        if stretch.shape[1] > MOST_SQUARED:
            rows.append(stretch)
        else:
            products = products + stretch.T @ stretch
    mean = total / count
    if rows:
        _, lengths, vectors = torch.linalg.svd(torch.cat(rows) - mean, full_matrices=False)
        variances = lengths.square() / count
    else:
        variances, columns = torch.linalg.eigh(products / count - torch.outer(mean, mean))
        variances, vectors = variances.flip(0), columns.flip(1).T
    found = vectors[:size]
    found = found * torch.sign(found.gather(1, found.abs().argmax(1, keepdim=True)))
    alive = variances[:size] > 1e-12 * variances.max().clamp(min=1e-300)
    real = alive[:, None] & (found.abs() > TINY_SHARE)  # what is left of rounding differs from run to run
    found = torch.where(real, found, 0.0)
    axes = torch.zeros(size, len(mean), dtype=torch.float64, device=mean.device)
    axes[: len(found)] = found
    return mean, variances.clamp(min=0), axes


def loadings_of(variances: Tensor, axes: Tensor) -> Tensor:
    r"""The axes in deviations of the noise: :math:`A = V (\Lambda / \sigma^2 - I)^{1/2}`, ``(cells, size)``.

    The covariance is then :math:`\sigma^2 (A A^\top + I)`, with the mean of all further variances as :math:`\sigma^2`
    (Probabilistic Principal Component Analysis, Tipping and Bishop, 1999, doi:10.1111/1467-9868.00196).
    """
    size, cells = axes.shape
    first = torch.zeros(size, dtype=axes.dtype, device=axes.device)
    first[: len(variances[:size])] = variances[:size]
    noise = variances[size:].sum() / max(cells - size, 1)
    noise = noise.clamp(min=max(LEAST_NOISE * float(variances.max()), 1e-300))
    return axes.T * (first / noise - 1).clamp(min=0.0).sqrt()


@parameters
class DenoisingAutoencoder(Estimator):
    r"""Sees noise, gives back what was clean: :math:`\min\ \tfrac1n\sum_i E\,\ell(x_i, g(f(c(x_i))))`.

    Parameters
    ----------
    noise : float, default 0.3
        Standard deviation :math:`\sigma` in the units that the network sees: standard deviations for standardized
        columns, shares of the full range for pictures. A corruption of your own takes its place.
    corruption : Corruption, str, or None
        Another :math:`c`; several with ``+``. ``None``: Gaussian noise of ``noise``,
        :math:`c(x) = x + \sigma\epsilon`.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Stacked Denoising Autoencoders, Vincent, Larochelle, Lajoie, Bengio and Manzagol, 2010, JMLR 11:3371.

    >>> from diabolo import DenoisingAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> DenoisingAutoencoder(code_size=8, epochs=2, random_state=0).fit(X).reconstruct(X).shape
    (1797, 64)
    """

    noise: float = within(default=0.3, low=0.0)
    corruption: Corruption | str | None = None

    def recipe(self) -> Recipe:
        """A plain code, trained on noisy input."""
        own = None if self.corruption is None else as_part(Corruption, self.corruption)
        return Recipe(Identity(), corruption=own or GaussianNoise(self.noise))

"""Choosing the best epoch without labels, where the data holds anomalies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ..core.roundtrip import Batch
from .watchers import Watcher

if TYPE_CHECKING:
    from .engine import Run

TINY = 1e-12


class EntropyStop(Watcher):
    r"""Keeps the epoch whose training losses are most uneven: least :math:`H = -\sum_i p_i \log p_i`.

    Here :math:`p_i = \ell_i / \sum_j \ell_j`, with :math:`\ell_i` the squared error of a training row as it is. While
    a network learns what most rows have in common, the losses of these fall and those of anomalies stay, so that few
    rows have most of the loss: the entropy is low. Once it learns anomalies by heart, it rises again. It stands in
    place of the validation loss, which held-out anomalies spoil as well; ``patience`` counts from it. The history
    holds it as ``loss_entropy``. Give it to ``fit(watchers=[EntropyStop()])``, again where a run is resumed.

    Parameters
    ----------
    rows : int, default 1024
        Training rows that are looked at, chosen by the run's seed, the same in every epoch; as in the paper.

    References
    ----------
    EntropyStop: Unsupervised Deep Outlier Detection with Loss Entropy, Huang, Zhang, Wang, Zhang and Lin, 2024,
    arXiv:2405.12502.

    >>> import numpy as np
    >>> from diabolo import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> history = Autoencoder(epochs=5, random_state=0).fit(X, watchers=[EntropyStop()]).history_
    >>> history.best_epoch == int(np.argmin(history["loss_entropy"]))
    True
    """

    criterion: ClassVar[str | None] = "loss_entropy"

    def __init__(self, rows: int = 1024) -> None:
        self.rows = rows
        self.met: list[Batch] = []

    def on_start(self, run: Run) -> None:
        """Choose the rows, a pure function of the seed."""
        self.met, left = [], self.rows
        for batch in run.batches.epoch(0):
            self.met.append(batch.map(lambda part: part[:left]))  # noqa: B023 - used at once
            left -= len(self.met[-1])
            if left <= 0:
                return

    @torch.no_grad()
    def on_row(self, run: Run, row: dict[str, Any]) -> None:
        """Add the entropy, by the weights that would be kept."""
        run.network.eval()
        run.exchange_averages()
        row["loss_entropy"] = entropy(torch.cat([self.losses(run, batch) for batch in self.met]))
        run.exchange_averages()

    @staticmethod
    def losses(run: Run, batch: Batch) -> Tensor:
        """Squared errors of rows as they are: ``(batch,)``."""
        trip = run.objective.travel(run.network, batch, corrupt=False, sample=False)
        return trip.over_cells((run.objective.loss.mean(trip.output) - trip.target).square())


def entropy(losses: Tensor) -> float:
    r"""How evenly rows share a loss, in nats: :math:`-\sum_i p_i \log p_i`, at most :math:`\log n`.

    >>> round(entropy(torch.ones(8)) / torch.tensor(8.0).log().item(), 6), round(entropy(torch.eye(8)[0]), 6)
    (1.0, 0.0)
    """
    shares = losses.double() + TINY
    return float(torch.special.entr(shares / shares.sum()).sum())

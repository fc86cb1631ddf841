"""Generated rows that look generated are drawn less often: a small network that tells them from real ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..bottlenecks import Identity
from ..core.codes import Code
from ..core.network import Network
from ..core.objective import Objective
from ..core.roundtrip import Batch, RoundTrip, View
from ..losses import BernoulliLikelihood
from ..training import Resident, Torch, train
from ..training.seeding import own_randomness

WIDTH = 256
DROPOUT = 0.2
STEPS, MOST_EPOCHS, PATIENCE = 3000, 50, 5
TOGETHER = 512
RATE = 2e-3
HELD_OUT = 0.1
FEWEST_ROWS = 100  # of real ones
BEYOND = 0.98  # share of generated rows below whose ratio the largest one that counts lies


class Critic(Network):
    r"""How much likelier a row is real than generated: :math:`r(x) = \exp d(x)`, :math:`d` the logit of a classifier.

    Drawing a row with a chance of :math:`\min(1, r(x) / r_{\max})` brings the rows that are kept nearer to the real
    ones, whatever the generator got wrong.

    Parameters
    ----------
    size : int
        Numbers in a row.
    width : int
        Of the two layers.

    References
    ----------
    Discriminator Rejection Sampling, Azadi, Olsson, Darrell, Goodfellow and Odena, 2019, arXiv:1810.06758.

    >>> critic = Critic(3, 8).eval()
    >>> critic.ratios(np.zeros((5, 3))).shape
    (5,)
    """

    def __init__(self, size: int, width: int = WIDTH) -> None:
        nn.Module.__init__(self)
        self.shape, self.prepare, self.computes_in = (1,), None, None
        self.limit = 1.0
        self.bottleneck = Identity(1)  # nothing is squeezed: it has no weights
        self.layers = nn.Sequential(
            *(nn.Linear(size, width), nn.SiLU(), nn.Dropout(DROPOUT)),
            *(nn.Linear(width, width), nn.SiLU(), nn.Dropout(DROPOUT)),
            nn.Linear(width, 1),
        )

    def forward(self, x: Tensor, *others: Any, **options: Any) -> RoundTrip:
        """Rows, and after their numbers whether each is real: how well that is told."""
        cells, truth = x[:, :-1], x[:, -1:]
        logit = self.layers(cells)
        return RoundTrip(truth, None, View(cells), cells, Code(logit), logit)

    @torch.no_grad()
    def ratios(self, cells: np.ndarray) -> np.ndarray:
        """How many times likelier each row is real than generated, up to a factor common to all: ``(rows,)``."""
        logits: Tensor = self.layers(torch.from_numpy(cells.astype(np.float32)))[:, 0]
        return logits.double().exp().numpy()

    def keeps(self, cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Which generated rows are kept, by chance."""
        kept: np.ndarray = random.random(len(cells)) * self.limit < self.ratios(cells)
        return kept

    def arrays(self) -> dict[str, np.ndarray]:
        """What a model file holds."""
        weights = {name: value.numpy() for name, value in self.state_dict().items()}
        return weights | {"limit": np.array([self.limit])}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`arrays`."""
        width, size = arrays["layers.0.weight"].shape
        with own_randomness(0, torch.device("cpu")):  # first weights are drawn, then replaced
            made = cls(size, width)
        made.load_state_dict({name: torch.from_numpy(np.array(arrays[name])) for name in made.state_dict()})
        made.limit = float(arrays["limit"][0])
        made.eval()
        return made


def train_critic(real: np.ndarray, made: np.ndarray, seed: int) -> Critic | None:
    """A critic of generated rows; ``None`` where it tells held-out rows apart no better than chance.

    Parameters
    ----------
    real, made : ndarray of shape (rows, cells)
        Without gaps.
    seed : int

    >>> random = np.random.default_rng(0)
    >>> critic = train_critic(random.normal(1, 1, (500, 2)), random.normal(0, 1, (500, 2)), seed=0)
    >>> low, high = critic.ratios(np.array([[-1.0, -1.0], [1.0, 1.0]]))
    >>> bool(low < high)
    True
    """
    if len(real) < FEWEST_ROWS:
        return None
    rows = np.concatenate([np.column_stack([real, np.ones(len(real))]), np.column_stack([made, np.zeros(len(made))])])
    batch = Batch(torch.from_numpy(rows.astype(np.float32)))
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed))
    held = round(HELD_OUT * len(batch))
    batches = Resident(batch, min(TOGETHER, max(32, len(batch) // 8)), seed, order[held:].sort().values)
    judged = Resident(batch, 4 * TOGETHER, seed, order[:held].sort().values)
    with own_randomness(seed, torch.device("cpu")):
        critic = Critic(real.shape[1])
    history = train(
        critic,
        Objective(BernoulliLikelihood()).build(critic),
        batches,
        epochs=min(MOST_EPOCHS, max(2, round(STEPS / batches.steps))),
        optimizer=Torch("AdamW"),
        learning_rate=RATE,
        validation=judged,
        patience=PATIENCE,
        seed=seed,
    )
    share = len(real) / len(batch)
    chance = -share * math.log(share) - (1 - share) * math.log(1 - share)
    if min(row["validation_loss"] for row in history.rows) > chance:
        return None
    critic.limit = float(np.quantile(critic.ratios(made), BEYOND))
    return critic


__all__ = ["Critic", "train_critic"]

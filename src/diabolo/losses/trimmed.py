"""What counts where the data holds rows that should not be learned: all but those that come back worst."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.kinds import Loss, Penalty
from ..core.network import Network
from ..core.objective import Objective
from ..core.roundtrip import Batch, RoundTrip


class Trimmed(Objective):
    r"""All rows of a batch count but those that come back worst: :math:`\frac1{|K|}\sum_{i \in K} \ell(x_i) + p(x_i)`.

    :math:`K` are the :math:`\lceil(1-q)\,n\rfloor` rows of least loss on a trip without corruption or sampling, by the
    weights of that moment. A network begins at the data's mean, so rows far from it are the first that do not count,
    and a network that never learned them has no reason to bring them back. The same holds in validation; scores and
    reconstructions take every row. Which rows to leave out costs a trip without gradients, which the rows left out
    save again.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None
    share : float in [0, 1), default 0.1
        :math:`q`, of each batch; more than there are anomalies leaves out rare normal rows as well. 0 is the plain
        objective, to the bit.

    Raises
    ------
    ValueError
        If the share is none.

    References
    ----------
    Learning with Bad Training Data via Iterative Trimmed Loss Minimization, Shen and Sanghavi, 2019, arXiv:1810.11874.
    Latent Outlier Exposure for Anomaly Detection with Contaminated Data, Qiu, Li, Kloft, Rudolph and Mandt, 2022,
    arXiv:2202.08088.

    >>> from diabolo import MLP, Clean, Identity, SquaredError
    >>> network = Network((1,), MLP(), Identity(1), Clean())
    >>> objective = Trimmed(SquaredError(), share=0.25).build(network)
    >>> objective.travel(network, Batch(torch.tensor([[0.0], [0.1], [90.0], [0.2]]))).target.flatten().tolist()
    [0.0, 0.10000000149011612, 0.20000000298023224]
    """

    def __init__(self, loss: Loss, penalty: Penalty | None = None, share: float = 0.1) -> None:
        super().__init__(loss, penalty)
        if not 0 <= share < 1:
            raise ValueError(f"share came as {share!r}; it must be a number of at least 0 and below 1.")
        self.share = share

    def travel(
        self, network: Network, batch: Batch, *, corrupt: bool | None = None, sample: bool | None = None
    ) -> RoundTrip:
        """Make the trip of the rows that count or, where nothing is learned or validated, of all."""
        count = max(1, round((1 - self.share) * len(batch)))
        if count < len(batch) and (network.training if corrupt is None else corrupt):
            rows = self.losses(network, batch).argsort(stable=True)[:count].sort().values
            batch = batch.map(lambda part: part[rows])
        return super().travel(network, batch, corrupt=corrupt, sample=sample)

    @torch.no_grad()
    def losses(self, network: Network, batch: Batch) -> Tensor:
        """What each row loses as it is: ``(batch,)``; nothing is gathered or drawn."""
        modes = [(part, part.training) for part in (network, self.loss)]
        for part, _ in modes:
            part.eval()
        lost: Tensor = self.loss(super().travel(network, batch, corrupt=False, sample=False).float())
        for part, training in modes:
            part.train(training)
        return lost

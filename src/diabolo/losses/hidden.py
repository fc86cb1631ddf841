"""What counts where something was hidden: the hidden cells, each guessed from the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from ..core.kinds import Loss, Shape
from ..core.network import Network
from ..core.objective import Objective
from ..core.parts import parameters, within
from ..core.patches import column_numbers, patch_numbers, usual_side
from ..core.roundtrip import Batch, RoundTrip


class HiddenOnly(Objective):
    r"""Only hidden cells count: :math:`\frac1n\sum_i E_m\,\ell\big(x_i \odot m,\ g(f(x_i \odot (1-m))) \odot m\big)`.

    A network that never sees what it is judged by cannot just copy it: it has to learn how cells depend on each other.

    Trips that are not corrupted (scores, reconstructions) hide every cell as well, by the corruption's complementary
    masks, one after the other and the same for every row: what comes back is the mean over the trips in which a cell
    was hidden, so that **each cell is predicted from others, never from itself**. Where a whole patch is missing, it
    is predicted from all that is known. A column of a table that misses its value counts as missing whole, together
    with the cell that says so: it then looks as a hidden one did while training. The code is that of the whole view.
    A score is thus a sum of conditional log-likelihoods, each given other cells (a pseudo-likelihood): it ranks rows,
    but is no bound on their joint one.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None

    Raises
    ------
    ValueError
        If the network's corruption has no complementary masks.

    References
    ----------
    Masked Autoencoders Are Scalable Vision Learners, He, Chen, Xie, Li, Dollar and Girshick, 2021, arXiv:2111.06377.
    Noise2Self: Blind Denoising by Self-Supervision, Batson and Royer, 2019, arXiv:1901.11365.

    >>> from diabolo import MLP, Identity, Masking, SquaredError
    >>> network = Network((4,), MLP(hidden=(8,)), Identity(2), Masking(0.5))
    >>> objective = HiddenOnly(SquaredError()).build(network)
    >>> x = torch.randn(1, 4, requires_grad=True)
    >>> output = objective.travel(network, Batch(x), corrupt=False).output
    >>> float(torch.autograd.grad(output[0, 3], x)[0][0, 3])
    0.0
    """

    masks: Tensor
    patches: Tensor
    columns: Tensor | None

    def build(self, network: Network) -> Objective:
        """Fix the complementary masks; refuse a corruption that has none."""
        cover = getattr(network.corruption, "cover", None)
        if cover is None:
            raise ValueError(
                f"{type(self).__name__} counts hidden cells only, and {network.corruption!r} has no masks that hide "
                "each cell in turn. Corruptions that have: BlockMasking, Masking."
            )
        masks = torch.stack(cover(network.shape))
        patches = getattr(network.corruption, "patches", None)
        patches = torch.arange(masks[0].numel()) if patches is None else patches
        self.register_buffer("masks", masks, persistent=False)
        self.register_buffer("patches", patches.flatten(), persistent=False)
        widths = getattr(network.corruption, "widths", None)
        columns = None if widths is None else column_numbers(widths)
        self.register_buffer("columns", columns, persistent=False)
        return super().build(network)

    def travel(
        self, network: Network, batch: Batch, *, corrupt: bool | None = None, sample: bool | None = None
    ) -> RoundTrip:
        """Make the trip whose hidden cells count, or those through complementary masks."""
        batch = self.whole(batch)
        if network.training if corrupt is None else corrupt:
            trip = self.trip(network, batch, corrupt=True, sample=sample)
            if trip.seen.hidden is None:
                return trip
            hidden = trip.seen.covered()
            return replace(trip, known=hidden if trip.known is None else trip.known & hidden)
        whole = self.trip(network, batch, corrupt=False, sample=sample)
        known = torch.ones_like(whole.target, dtype=torch.bool) if batch.known is None else batch.known
        shown = [Batch(batch.values, known & ~mask) for mask in self.masks]
        trips = [self.trip(network, part, corrupt=False, sample=sample) for part in shown]
        each = [1] * (known.ndim - 1) + [whole.output.shape[-1] // known.shape[-1]]  # a loss may want several numbers
        hidden = self.masks.repeat(each)
        total = sum(trip.output * mask for trip, mask in zip(trips, hidden, strict=True))
        return replace(whole, output=torch.where(self.gone(known).repeat(each), whole.output, total / hidden.sum(0)))

    def fill(self, network: Network, batch: Batch, *, sample: bool | None = None) -> RoundTrip:
        """One trip, of the whole view, where all that is missing is missing as patches: masks tell of known cells."""
        whole = self.whole(batch)
        if whole.known is not None and bool((~whole.known & ~self.gone(whole.known)).any()):
            return super().fill(network, batch, sample=sample)
        return self.trip(network, whole, corrupt=False, sample=sample)

    def trip(self, network: Network, batch: Batch, *, corrupt: bool, sample: bool | None) -> RoundTrip:
        """One trip through the network."""
        return super().travel(network, batch, corrupt=corrupt, sample=sample)

    def whole(self, batch: Batch) -> Batch:
        """The same rows, in which a column of several cells is known whole or not at all."""
        if self.columns is None or batch.known is None:
            return batch
        return replace(batch, known=~anywhere(~batch.known, self.columns))

    def gone(self, known: Tensor) -> Tensor:
        """Cells of which nothing is known, nor of what is hidden with them: ``(batch, *shape)``."""
        return ~anywhere(known, self.patches)


class CopiedHoles(HiddenOnly):
    r"""Hidden cells count, and what is hidden is also what another row misses.

    Each row is shown without the cells that some other row of the batch misses,
    :math:`x_i \odot k_{\pi(i)} \odot (1-m)`, before the corruption hides more: the network meets the patterns of
    holes that the data really has, which matters where they depend on the values. Where nothing is missing it is
    :class:`HiddenOnly`.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None

    References
    ----------
    CACTI: Leveraging Copy Masking and Contextual Information to Improve Tabular Data Imputation, Gorla et al., 2025,
    arXiv:2506.02306.

    >>> from diabolo import MLP, Identity, Masking, SquaredError
    >>> network = Network((2,), MLP(hidden=(8,)), Identity(1), Masking(0.1))
    >>> objective = CopiedHoles(SquaredError()).build(network)
    >>> known = torch.tensor([[True, True], [True, False]])
    >>> trip = objective.travel(network, Batch(torch.ones(2, 2), known), corrupt=True)
    >>> bool((trip.known & ~trip.seen.hidden).any())
    False
    """

    def travel(
        self, network: Network, batch: Batch, *, corrupt: bool | None = None, sample: bool | None = None
    ) -> RoundTrip:
        """Make the trip whose hidden cells count, or those through complementary masks."""
        batch = self.whole(batch)
        corrupted = network.training if corrupt is None else corrupt
        if not corrupted or batch.known is None or batch.degraded is not None:
            return super().travel(network, batch, corrupt=corrupt, sample=sample)
        known = batch.known
        copied = known[torch.randperm(len(known), device=known.device)]
        trip = self.trip(network, Batch(batch.values, known & copied), corrupt=True, sample=sample)
        return replace(trip, target=batch.values.masked_fill(~known, 0.0), known=known & trip.seen.covered())


def anywhere(cells: Tensor, groups: Tensor) -> Tensor:
    """Which cells lie in a group that has any true cell: ``(batch, *shape)``, ``groups`` numbering the cells.

    >>> anywhere(torch.tensor([[True, False, False]]), torch.tensor([0, 0, 1])).tolist()
    [[True, True, False]]
    """
    found = torch.zeros(len(cells), int(groups.numel()), dtype=torch.long, device=cells.device)
    found = found.index_add(1, groups, cells.flatten(1).long())
    return (found.index_select(1, groups) > 0).view_as(cells)


@parameters
class PatchError(Loss):
    r"""The squared error in units of each patch's own deviation: :math:`\tfrac12\sum_j (x_j - \hat x_j)^2/s_{k(j)}^2`.

    Here :math:`s_k^2 = \sigma_k^2 + \epsilon^2` with :math:`\sigma_k` the deviation of the true patch :math:`k`: faint
    texture counts as much as sharp edges. These are the normalized targets of masked autoencoders, written in units of
    the data: in :math:`(x - \mu_k)/s_k - (\hat x - \mu_k)/s_k` the patch's mean drops out. The network of the paper
    predicts :math:`(x - \mu_k)/s_k` itself and needs not know :math:`\mu_k` and :math:`s_k`, but nobody could make a
    picture of that: those of a hidden patch are not known. Here the network predicts data.

    Parameters
    ----------
    side : int, or None
        Length of a patch along each position axis; ``None``: as :class:`~diabolo.corruptions.BlockMasking` has it.
    floor : float, default 0.1
        The :math:`\epsilon` in the network's units, below which a deviation is no texture but noise: a tenth of a
        picture's range, or of a column's standard deviation.

    References
    ----------
    Masked Autoencoders Are Scalable Vision Learners, He, Chen, Xie, Li, Dollar and Girshick, 2021, arXiv:2111.06377
    (section 3, reconstruction target).

    >>> from diabolo import MLP, Clean, Identity
    >>> loss = PatchError(side=2).build((4, 4, 1))
    >>> loss(Network((4, 4, 1), MLP(), Identity(2), Clean())(torch.rand(3, 4, 4, 1))).shape
    torch.Size([3])
    """

    side: int | None = within(default=None, low=1)
    floor: float = within(default=0.1, low=0.0, above=True)

    def build(self, shape: Shape) -> Self:
        """Note for each cell which patch it belongs to."""
        _, numbers = patch_numbers(shape, self.side or usual_side(shape))
        self.register_buffer("numbers", numbers.flatten(), persistent=False)
        self.count = int(numbers.max()) + 1
        return self

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        squares = (trip.output - trip.target).square()
        return trip.over_cells(squares / self._variances(trip).view_as(squares)) / 2

    def _variances(self, trip: RoundTrip) -> Tensor:
        """The variance of each cell's patch over its known cells: ``(batch, cells)``."""
        numbers, x = self.get_buffer("numbers"), trip.target.flatten(1)
        known = torch.ones_like(x) if trip.known is None else trip.known.flatten(1).to(x.dtype)

        def mean(cells: Tensor) -> Tensor:
            sums = cells.new_zeros(len(x), self.count).index_add(1, numbers, cells * known)
            return sums.index_select(1, numbers) / counts

        counts = torch.ones_like(x)
        counts = mean(counts).clamp_min(1)
        return mean((x - mean(x)).square()) + self.floor**2

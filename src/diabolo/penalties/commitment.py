"""What a quantized code costs that strays from its words."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ..core.codes import Code, QuantizedCode
from ..core.kinds import Penalty
from ..core.network import Network
from ..core.parts import parameters, within
from ..core.roundtrip import RoundTrip


@parameters
class Commitment(Penalty):
    r"""Squared distance to the chosen words, which do not move for it: :math:`\lVert z - \mathrm{sg}(w_k)\rVert^2`.

    The gradient of the loss reaches the encoder as if there were no words; this holds it near to them, so that the
    words, which are moving averages, can keep up. It is summed over all numbers of the code, as the loss is summed
    over all cells. A codebook begins with a variance of 1 in each channel, so that the weight is a price in nats for
    each number of the code that lies a standard deviation off its word, whatever the size of data and code.

    Parameters
    ----------
    weight : float, default 1
        Nats per squared standard deviation. A number that is quantized well is off by a tenth of a deviation or so
        and costs 0.01 nats, little beside what it explains. The value is not critical: from 1 to 10 the held-out
        error on digits and MNIST stays within a tenth, at 0.25 it is up to a tenth larger, at 0 words starve
        unless they expire.

    References
    ----------
    Neural Discrete Representation Learning, van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv:1711.00937
    (equation 3; the weight there is 0.25 for errors divided by the data's variance and averages instead of sums).

    >>> import torch
    >>> from diabolo import MLP, Clean, Codebook
    >>> network = Network((4,), MLP(), Codebook(2), Clean())
    >>> Commitment()(network(torch.zeros(3, 4)), network).shape
    torch.Size([3])
    """

    needs: ClassVar[type[Code]] = QuantizedCode
    weight: float = within(default=1.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        code = trip.code
        assert isinstance(code, QuantizedCode)
        return (code.wanted - code.chosen.detach()).square().flatten(1).sum(1)

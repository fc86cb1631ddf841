"""What a code costs that strays from its prior."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ..core.codes import Code, GaussianCode
from ..core.kinds import Penalty
from ..core.network import Network
from ..core.parts import parameters, within
from ..core.roundtrip import RoundTrip


@parameters
class KL(Penalty):
    r"""Nats from the code to a standard normal: :math:`\tfrac12\sum_j \mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2`.

    Parameters
    ----------
    weight : float, default 1
        Beta. 1 is the evidence bound; more buys independent codes with blurrier reconstructions.
    warmup : float in [0, 1], default 0
        Share of the training over which the weight rises from 0, against posterior collapse.
    free_nats : float, default 0
        Nats per code dimension, averaged over the batch, that cost nothing while training. Scores count all nats.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114 (appendix B).
    beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, Higgins et al., 2017.
    Improving Variational Inference with Inverse Autoregressive Flow, Kingma et al., 2016, arXiv:1606.04934
    (free bits, appendix C.8).

    >>> import torch
    >>> KL(warmup=0.5).price(torch.tensor(0.25))
    tensor(0.5000)
    """

    needs: ClassVar[type[Code]] = GaussianCode
    in_bound: ClassVar[bool] = True
    weight: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.0, low=0.0, high=1.0)
    free_nats: float = within(default=0.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``; with free nats while training, their sum over dimensions as ``()``."""
        code = trip.code
        assert isinstance(code, GaussianCode)
        nats = (code.mean.square() + code.log_variance.exp() - 1 - code.log_variance) / 2
        if self.training and self.free_nats:
            return nats.flatten(0, -2).mean(0).clamp_min(self.free_nats).sum() * (nats[0].numel() / nats.shape[-1])
        return nats.flatten(1).sum(1)

    def price(self, progress: Tensor) -> Tensor | float:
        """The weight, risen in proportion while warming up."""
        return self.weight * (progress / self.warmup).clamp(max=1.0) if self.warmup else self.weight

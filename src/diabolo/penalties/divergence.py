"""What codes cost that stray from their prior."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..core.codes import Code, GaussianCode, SphericalCode
from ..core.network import Network
from ..core.parts import as_part, parameters, within
from ..core.roundtrip import RoundTrip
from .priors import Matching, Prior, StandardNormal, device_of

KERNEL_WIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Divergence(Matching, ABC):
    """Nats from each code to the prior; it belongs to the bound on the log-likelihood."""

    in_bound: ClassVar[bool] = True

    @abstractmethod
    def log_ratio(self, trip: RoundTrip, network: Network) -> Tensor:
        r""":math:`\log q(z|x) - \log p(z)` at the code that was drawn: ``(batch,)``."""


@parameters
class KL(Divergence):
    r"""Nats from the code to its prior: :math:`\mathrm{KL}(q(z|x)\,\|\,p(z)) = E_q[\log q(z|x) - \log p(z)]`.

    To the standard normal it is :math:`\tfrac12\sum_j \mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2`. To any other prior
    it is estimated by the code that was drawn while training, and otherwise bounded from above without a draw
    (:meth:`Prior.expected <diabolo.penalties.priors.Prior.expected>`), so that a score is repeatable and still a
    bound.

    Parameters
    ----------
    weight : float, default 1
        Beta. 1 is the evidence bound; more buys independent codes with blurrier reconstructions.
    warmup : float in [0, 1], default 0
        Share of the training, or of each cycle, over which the weight rises from 0, against posterior collapse.
    free_nats : float, default 0
        Nats per code dimension, averaged over the batch, that cost nothing while training. Scores count all nats.
        With a prior of one's own, which does not count by dimension, they are free for the code as a whole.
    cycles : int, default 1
        How often the weight starts again from 0. One suffices where the decoder is weak; strong ones (recurrent)
        gain from 4, with a warm-up of 0.5.
    prior : Prior, str, or None
        ``None``: the standard normal, whose closed form has the least noise.

    Raises
    ------
    ValueError
        If there are cycles but no warm-up that they could repeat.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114 (appendix B).
    beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, Higgins et al., 2017.
    Improving Variational Inference with Inverse Autoregressive Flow, Kingma et al., 2016, arXiv:1606.04934
    (free bits, appendix C.8).
    Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing, Fu et al., 2019, arXiv:1903.10145.

    >>> KL(warmup=0.5).price(torch.tensor(0.25))
    tensor(0.5000)
    >>> KL(warmup=0.5, cycles=4).price(torch.tensor(0.75 + 0.25 / 4))
    tensor(0.5000)
    """

    needs: ClassVar[type[Code]] = GaussianCode
    weight: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.0, low=0.0, high=1.0)
    free_nats: float = within(default=0.0, low=0.0)
    cycles: int = within(default=1, low=1)
    prior: Prior | str | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep the prior as a plain field: what is built from it has the weights, not the one given."""
        if name == "prior":
            vars(self)[name] = value
        else:
            super().__setattr__(name, value)

    def check(self) -> Self:
        """Refuse what the fields do not allow."""
        if self.cycles > 1 and not self.warmup:
            raise ValueError(
                f"KL: cycles came as {self.cycles}, but without a warm-up nothing is repeated; set warmup=0.5, say."
            )
        return super().check()

    def build(self, network: Network) -> Self:
        """Make the prior's weights."""
        self.density = as_part(Prior, self.prior or StandardNormal()).build(network)
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """Let the prior begin at the data."""
        self.density.meet(trip, network)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``; with free nats while training, what is paid for as ``()``."""
        code = trip.code
        assert isinstance(code, GaussianCode)
        free = self.free_nats if self.training else 0.0
        if self.prior is None:
            nats = nats_by_number(code)
            if free:
                positions = nats[0].numel() / nats.shape[-1]
                return nats.flatten(0, -2).mean(0).clamp_min(free).sum() * positions
            return nats.flatten(1).sum(1)
        if self.training:
            nats = self.log_ratio(trip, network)
            return nats.mean().clamp_min(free * code.mean[0].numel()) if free else nats
        entropy = (code.log_variance + math.log(2 * math.pi) + 1).flatten(1).sum(1) / 2
        return -entropy - self.density.expected(code, network)

    def log_ratio(self, trip: RoundTrip, network: Network) -> Tensor:
        """At the code that was drawn: ``(batch,)``."""
        assert isinstance(trip.code, GaussianCode)
        return trip.code.log_density() - self.density.log_density(trip.code.values, network)

    def draw(self, count: int, network: Network) -> Tensor:
        """Draw from the prior."""
        return self.density.sample(count, network)

    def price(self, progress: Tensor) -> Tensor | float:
        """The weight, risen in proportion while warming up, in each cycle anew."""
        if not self.warmup:
            return self.weight
        cycle = progress * self.cycles
        return self.weight * ((cycle - (cycle.ceil() - 1).clamp_min(0)) / self.warmup).clamp(max=1.0)


@parameters
class Capacity(Matching):
    r"""A rate that is told instead of priced: :math:`|\mathrm{KL}(q(z|x)\,\|\,N(0, I)) - C(t)|`, averaged first.

    The capacity :math:`C` rises in proportion from 0, so that codes learn what matters most first. It is no bound:
    scores count the reconstruction alone.

    Parameters
    ----------
    weight : float, default 100
        Gamma. Far more than a nat of code ever saves in reconstruction, so that the rate is what was told.
    nats : float, default 25
        The capacity at last, nats per sample; the paper's for pictures of simple shapes.
    rise : float in [0, 1], default 0.5
        Share of the training over which it rises.

    References
    ----------
    Understanding disentangling in beta-VAE, Burgess et al., 2018, arXiv:1804.03599.

    >>> capacity = Capacity(nats=8.0)
    >>> capacity.progress = 0.25
    >>> capacity.allowed()
    4.0
    """

    needs: ClassVar[type[Code]] = GaussianCode
    weight: float = within(default=100.0, low=0.0)
    nats: float = within(default=25.0, low=0.0)
    rise: float = within(default=0.5, low=0.0, high=1.0)

    def allowed(self) -> Tensor | float:
        """The capacity now."""
        if not self.rise:
            return self.nats
        share = self.progress / self.rise
        return self.nats * (share.clamp(max=1.0) if isinstance(share, Tensor) else min(share, 1.0))

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``()``."""
        assert isinstance(trip.code, GaussianCode)
        return (nats_by_number(trip.code).flatten(1).sum(1).mean() - self.allowed()).abs()

    def draw(self, count: int, network: Network) -> Tensor:
        """Draw from the standard normal."""
        return StandardNormal().sample(count, network)


@parameters
class UniformKL(Divergence):
    r"""Nats from a code on the sphere to the uniform: :math:`\log|S^{d-1}| - H(q(z|x))`, in closed form.

    Parameters
    ----------
    weight : float, default 1
        Price of a nat; 1 is the evidence bound.
    warmup : float in [0, 1], default 0
        Share of the training over which the weight rises from 0.

    References
    ----------
    The Power Spherical distribution, De Cao and Aziz, 2020, arXiv:2006.04437.

    >>> from diabolo import PowerSpherical
    >>> from diabolo.core.parts import every
    >>> UniformKL.needs is PowerSpherical.gives
    True
    """

    needs: ClassVar[type[Code]] = SphericalCode
    weight: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.0, low=0.0, high=1.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        assert isinstance(trip.code, SphericalCode)
        return log_surface(trip.code.values) - trip.code.entropy()

    def log_ratio(self, trip: RoundTrip, network: Network) -> Tensor:
        """At the code that was drawn: ``(batch,)``."""
        assert isinstance(trip.code, SphericalCode)
        return trip.code.log_density() + log_surface(trip.code.values)

    def draw(self, count: int, network: Network) -> Tensor:
        """Directions without preference."""
        return functional.normalize(torch.randn(count, *network.code_shape, device=device_of(network)), dim=-1)

    def price(self, progress: Tensor) -> Tensor | float:
        """The weight, risen in proportion while warming up."""
        return self.weight * (progress / self.warmup).clamp(max=1.0) if self.warmup else self.weight


@parameters
class MaximumMeanDiscrepancy(Matching):
    r"""How far all codes together are from a standard normal: :math:`E k(z, z') + E k(y, y') - 2 E k(z, y)`.

    :math:`z` are codes, :math:`y` draws from the prior, and :math:`k(a, b) = E_s\,[2ds / (2ds + \lVert a -
    b\rVert^2)]` over seven widths :math:`s` from 0.1 to 10 (inverse multiquadratics, whose tails reach outliers).
    Without bias, so it may fall a little below 0; it holds any code, a distribution or not.

    Parameters
    ----------
    weight : float, default 100
        Nats for a discrepancy of 1. Held-out codes of digits come to 0.007 then, instead of 0.03 without, and bring
        back a hundredth less of the variation.

    References
    ----------
    Wasserstein Auto-Encoders, Tolstikhin et al., 2017, arXiv:1711.01558 (WAE-MMD, section 4 for the kernel).
    InfoVAE: Balancing Learning and Inference in Variational Autoencoders, Zhao et al., 2017, arXiv:1706.02262.
    A Kernel Two-Sample Test, Gretton et al., 2012, JMLR 13:723.

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Network((4,), MLP(), Identity(2), Clean())
    >>> MaximumMeanDiscrepancy()(network(torch.zeros(3, 4)), network).shape
    torch.Size([])
    """

    weight: float = within(default=100.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``()``; a single code has no pairs, and is only drawn towards the prior."""
        codes = trip.code.values.flatten(1)
        both = torch.cat([codes, torch.randn_like(codes)])
        similar = inverse_multiquadratic(both)
        similar = similar - similar.diag().diag_embed()
        rows, pairs = len(codes), max(1, len(codes) * (len(codes) - 1))
        within_each = similar[:rows, :rows].sum() + similar[rows:, rows:].sum()
        return within_each / pairs - 2 * similar[:rows, rows:].mean()

    def draw(self, count: int, network: Network) -> Tensor:
        """Draw from the standard normal."""
        return StandardNormal().sample(count, network)


def inverse_multiquadratic(codes: Tensor) -> Tensor:
    """How similar codes ``(count, size)`` are, from 0 to 1: ``(count, count)``."""
    lengths = codes.square().sum(1)
    apart = (lengths[:, None] + lengths - 2 * codes @ codes.T).clamp_min(0)
    widths = [2 * codes.shape[1] * width for width in KERNEL_WIDTHS]
    return torch.stack([width / (width + apart) for width in widths]).mean(0)


def nats_by_number(code: GaussianCode) -> Tensor:
    """The divergence of each number of a code from the standard normal, in nats."""
    return (code.mean.square() + code.log_variance.exp() - 1 - code.log_variance) / 2


def log_surface(values: Tensor) -> float:
    """Log of the surface of the unit sphere, for each position of a code on it, added up."""
    half = values.shape[-1] / 2
    one = math.log(2) + half * math.log(math.pi) - math.lgamma(half)
    return one * (values[0].numel() // values.shape[-1])

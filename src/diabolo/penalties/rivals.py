"""Rivals: penalties that learn to tell what the network makes from what it ought to be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.codes import GaussianCode, widen
from ..core.kinds import Loss, Rival, Shape
from ..core.network import Network
from ..core.parts import choice, parameters, within
from ..core.roundtrip import RoundTrip
from .priors import Matching, device_of
from .replay import decoded, replaying

SLOPE = 0.2  # of leaky ReLU below zero: a rival that is sure of itself still tells where to go
CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv1d, 3: nn.Conv2d, 4: nn.Conv3d}
KNOTS, RADIUS, SPREAD = 10, 2.0, 0.25


def normal(codes: Tensor) -> Tensor:
    """Independent numbers of mean 0 and variance 1."""
    return torch.randn_like(codes)


def uniform(codes: Tensor) -> Tensor:
    """Independent numbers between -1 and 1, all alike."""
    return torch.rand_like(codes) * 2 - 1


def ring(codes: Tensor) -> Tensor:
    """Ten narrow Gaussians, evenly on a circle in the first two numbers; normal in the others."""
    angles = torch.randint(KNOTS, codes.shape[:1], device=codes.device) * (2 * math.pi / KNOTS)
    centers = RADIUS * torch.stack([angles.cos(), angles.sin()], 1)[:, : codes.shape[1]]
    drawn = torch.randn_like(codes)
    return torch.cat([centers + SPREAD * drawn[:, :2], drawn[:, 2:]], 1)


PRIORS: dict[str, Callable[[Tensor], Tensor]] = {"normal": normal, "uniform": uniform, "ring": ring}


def dense(width: int, hidden: int) -> nn.Sequential:
    """Two hidden layers: ``(batch, width) -> (batch, hidden)``."""
    return nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, hidden), nn.LeakyReLU(SLOPE))


class Strided(nn.Module):
    """Two convolutions that halve each side: ``(batch, *positions, channels) -> (batch, width)``."""

    def __init__(self, shape: Shape, channels: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[len(shape)]
        self.layers = nn.Sequential(
            convolution(shape[-1], channels, 4, stride=2, padding=2),
            nn.LeakyReLU(SLOPE),
            convolution(channels, 2 * channels, 4, stride=2, padding=2),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Channels go first for torch."""
        features: Tensor = self.layers(x.movedim(-1, 1))
        return features


@parameters
class CodeRival(Rival, Matching):
    r"""A rival that tells codes from draws of the prior; the network pays :math:`-\log D(z)`.

    :math:`D` is the probability, by a small perceptron, that a code :math:`z` was drawn from the prior :math:`p`. The
    rival itself minimizes :math:`-E_{z\sim p}\log D(z) - E_x\log(1 - D(f(x)))`. Where it is at a loss, both are
    distributed alike, and new samples can be decoded from draws.

    Parameters
    ----------
    weight : float, default 10
        Nats for each nat of the rival's surprise. Squeezing codes into a prior costs no reconstruction as long as they
        stay apart, so that the price may be high; at 1 codes of digits stay twice as far from the prior.
    prior : {"normal", "uniform", "ring"}, default "normal"
        Standard normal; independent numbers between -1 and 1; or ten Gaussians on a circle in the first two numbers,
        one for each cluster that the data may have.
    hidden : int, default 64
        Width of the rival's two hidden layers.
    learning_rate : float, default 0.01
        Of the rival's Adam. High, because the rival has to keep up with codes that move with Muon's large steps. It
        needs no other stabilization then: with spectral normalization or a penalty on its gradient, codes ended further
        from the prior for more time.

    References
    ----------
    Adversarial Autoencoders, Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2015, arXiv:1511.05644.
    Generative Adversarial Networks, Goodfellow et al., 2014, arXiv:1406.2661 (the price that does not saturate).

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Network((4,), MLP(), Identity(2), Clean())
    >>> rival = CodeRival().build(network)
    >>> trip = network(torch.zeros(3, 4))
    >>> rival(trip, network).shape, rival.loss(trip.detached(), network).shape
    (torch.Size([3]), torch.Size([]))
    """

    weight: float = within(default=10.0, low=0.0)
    prior: str = choice(*PRIORS, default="normal")
    hidden: int = within(default=64, low=1)
    learning_rate: float = within(default=0.01, low=0.0, above=True)

    def build(self, network: Network) -> Self:
        """Make the layers that judge, for a whole code at once."""
        self.judge = nn.Sequential(dense(math.prod(network.code_shape), self.hidden), nn.Linear(self.hidden, 1))
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """The surprise of a rival who is told that a code came from the prior: ``(batch,)``."""
        return functional.softplus(-self.judge(trip.code.values.flatten(1))).squeeze(1)

    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        """The cross entropy of telling codes from draws: ``()``."""
        codes = trip.code.values.flatten(1)
        return cross_entropy(self.judge(PRIORS[self.prior](codes)), self.judge(codes))

    def draw(self, count: int, network: Network) -> Tensor:
        """Draw from the prior."""
        room = torch.empty(count, math.prod(network.code_shape), device=device_of(network))
        return PRIORS[self.prior](room).view(count, *network.code_shape)


@parameters
class OutputRival(Rival):
    r"""A rival that tells data from what the decoder makes, and whose features judge how far the two are apart.

    The network pays :math:`-\log D(\hat x) + \phi\,\tfrac m2\log\overline{(D_l(x) - D_l(\hat x))^2}`: the surprise of a
    rival who is told that :math:`\hat x` is data, and the negative log-likelihood of the features :math:`D_l` that it
    looks at, Gaussian with their best variance and counted as much as the :math:`m` cells of a sample. The rival
    minimizes :math:`-E_x\log D(x) - E_{\hat x}\log(1 - D(\hat x))`. Where the code is a Gaussian, half of all
    :math:`\hat x` are decoded from draws of the standard normal; the others are reconstructions. Cells that are not
    known are kept from the rival on both sides.

    Rows are judged by a perceptron, signals, pictures and volumes by two strided convolutions.

    Parameters
    ----------
    weight : float, default 1
        Price of both terms together.
    features : float, default 0.3
        Of the features' likelihood, :math:`\phi`. At 1 features have the say that cells have in the loss: on digits
        that is as sharp as the data, at a fifth more squared error than 0.3, which restores two thirds of what a VAE
        lacks.
    hidden : int, default 128
        Width of the two layers for rows.
    channels : int, default 16
        Of the first convolution; the second has twice as many.
    learning_rate : float, default 0.001
        Of the rival's Adam. It stays even with the network without stabilization; spectral normalization and a penalty
        on its gradient gave blurrier pictures for more time.

    References
    ----------
    Autoencoding beyond pixels using a learned similarity metric, Larsen, Sonderby, Larochelle and Winther, 2016,
    arXiv:1512.09300. There the features replace the cells' own loss, and the encoder sees no surprise; here the loss
    stays, so that scores mean the same in every model.

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Network((4,), MLP(), Identity(2), Clean())
    >>> rival = OutputRival().build(network)
    >>> trip = network(torch.randn(3, 4))
    >>> rival(trip, network).shape, rival.loss(trip.detached(), network).shape
    (torch.Size([3]), torch.Size([]))
    """

    weight: float = within(default=1.0, low=0.0)
    features: float = within(default=0.3, low=0.0)
    hidden: int = within(default=128, low=1)
    channels: int = within(default=16, low=1)
    learning_rate: float = within(default=1e-3, low=0.0, above=True)

    losses: ClassVar[tuple[Loss, ...]] = ()

    def beside(self, loss: Loss) -> Self:
        """Remember the loss, which knows what data an output stands for; in a tuple, so that it is not saved twice."""
        vars(self)["losses"] = (loss,)
        return self

    def build(self, network: Network) -> Self:
        """Make the layers that look and the one that judges."""
        shape = network.shape
        rows = len(shape) not in CONVOLUTIONS
        self.look = (
            nn.Sequential(nn.Flatten(), dense(math.prod(shape), self.hidden)) if rows else Strided(shape, self.channels)
        )
        with torch.no_grad():
            width = self.look(torch.zeros(1, *shape)).shape[1]
        self.judge = nn.Linear(width, 1)
        self.register_buffer("center", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """Learn the range of the data, so that rivals of faint pictures see as well as others."""
        values = trip.target if trip.known is None else trip.target[trip.known]
        if values.numel() > 1:
            self.get_buffer("center").copy_(values.mean())
            self.get_buffer("scale").copy_(values.std().clamp_min(1e-3))

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """The surprise of a rival who is told that this is data, and the distance of features: ``(batch,)``."""
        made = self._seen(self._made(trip, network), trip.known)
        surprise = functional.softplus(-self.judge(made)).view(-1, len(trip.target)).mean(0)
        apart = (made[: len(trip.target)] - self._seen(trip.target, trip.known)).square().mean(1)
        variance = apart.detach().mean().clamp_min(1e-8)
        return surprise + self.features * trip.known_cells() * (apart / variance + variance.log()) / 2

    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        """The cross entropy of telling data from what was made: ``()``."""
        with torch.no_grad():
            made = self._made(trip, network)
        return cross_entropy(self.judge(self._seen(trip.target, trip.known)), self.judge(self._seen(made, trip.known)))

    def _made(self, trip: RoundTrip, network: Network) -> Tensor:
        """Reconstructions, then as many decoded draws where the code has a distribution to draw from."""
        outputs = [trip.output]
        if isinstance(trip.code, GaussianCode):
            with replaying(network, learning=torch.is_grad_enabled()):
                outputs.append(widen(decoded(network, torch.randn_like(trip.code.mean))))
        output = torch.cat(outputs)
        return self.losses[0].mean(output) if self.losses else output

    def _seen(self, x: Tensor, known: Tensor | None) -> Tensor:
        """The features of one or more batches with the same holes: ``(batches * batch, *shape) -> (..., width)``."""
        x = (x - self.get_buffer("center")) / self.get_buffer("scale")
        if known is not None:
            x = x.masked_fill(~known.repeat(len(x) // len(known), *[1] * (known.ndim - 1)), 0.0)
        features: Tensor = self.look(x)
        return features


def cross_entropy(real: Tensor, made: Tensor) -> Tensor:
    """Nats per pair that a rival loses whose log odds for being real are these.

    >>> cross_entropy(torch.zeros(1), torch.zeros(1))  # at a loss, on both sides
    tensor(1.3863)
    """
    return functional.softplus(-real).mean() + functional.softplus(made).mean()

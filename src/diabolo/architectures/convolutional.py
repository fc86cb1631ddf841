"""Convolutions for pictures and signals of any size and number of channels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from ..core.activations import ACTIVATIONS
from ..core.errors import ShapeError
from ..core.kinds import Architecture, Shape
from ..core.parts import choice, parameters, whole_widths, within
from .layers import cells
from .linear import begin_at

CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
GROUPS = 8


class ChannelsFirst(nn.Module):
    """``(batch, *positions, channels) -> (batch, channels, *positions)``, as torch's convolutions want it."""

    def forward(self, x: Tensor) -> Tensor:
        """Move the last axis to the second place, without copying."""
        return x.movedim(-1, 1)


class ChannelsLast(nn.Module):
    """``(batch, channels, *positions) -> (batch, *positions, channels)``, as this library has it."""

    def forward(self, x: Tensor) -> Tensor:
        """Move the second axis to the last place, without copying."""
        return x.movedim(1, -1)


@parameters
class Conv(Architecture):
    r"""Convolutions that halve each side per stage, and transposed ones that restore it to the very pixel.

    A side of :math:`s` becomes :math:`\lceil s/2 \rceil` after each stage; the mirrored stage knows which of
    :math:`2s-1` and :math:`2s` it came from, so that any size comes back as it went in.

    Parameters
    ----------
    channels : tuple of int, or int, default (32, 64)
        Channels after each stage; 28 x 28 pictures become 7 x 7 after two.
    kernel : int, default 3
        Side of the kernel, odd; 3 is the cheapest that sees neighbors.
    activation : str, default "silu"
    normalization : {"none", "group"}, default "group"
        Group normalization does not depend on the batch, and short trainings get further with it.
    hidden : int, or None, default 256
        Width of the one dense layer between the last map and the bottleneck. ``None``: there is none, and the map
        stays a map: the code has positions, ``code_size`` numbers at each.

    Raises
    ------
    ShapeError
        If a sample is not (positions, channels), (height, width, channels) or (depth, height, width, channels).

    References
    ----------
    Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction, Masci, Meier, Ciresan and Schmidhuber,
    2011, doi:10.1007/978-3-642-21735-7_7.

    >>> import torch
    >>> encoder, width = Conv().encoder((9, 7, 3))
    >>> encoder(torch.zeros(2, 9, 7, 3)).shape, Conv().decoder(4, (9, 7, 3))(torch.zeros(2, 4)).shape
    (torch.Size([2, 256]), torch.Size([2, 9, 7, 3]))
    """

    channels: tuple[int, ...] | int = (32, 64)
    kernel: int = within(default=3, low=1)
    activation: str = choice(*ACTIVATIONS, default="silu")
    normalization: str = choice("none", "group", default="group")
    hidden: int | None = within(default=256, low=1)

    def check(self) -> Conv:
        """Refuse what the fields do not allow."""
        if not self.stages:
            raise ValueError(f"Conv: channels came as {self.channels!r}; it must be at least one whole number.")
        super().check()
        if self.kernel % 2 == 0:
            raise ValueError(f"Conv: kernel came as {self.kernel}; it must be odd, so that it has a middle.")
        return self

    @property
    def stages(self) -> tuple[int, ...]:
        """Channels after each stage; one number is one stage."""
        return whole_widths("Conv", "channels", self.channels)

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """``(batch, *positions, channels) -> (batch, hidden)``, or a map ``(batch, *smaller positions, width)``."""
        sides = self._sides(shape)
        rank, widths = len(shape) - 1, [shape[-1], *self.stages]
        layers: list[nn.Module] = [ChannelsFirst()]
        for before, after in pairwise(widths):
            layers += [CONVOLUTIONS[rank](before, after, self.kernel, stride=2, padding=self.kernel // 2)]
            layers += self._after(after)
        if self.hidden is None:
            return nn.Sequential(*layers, ChannelsLast()), widths[-1]
        flat = cells(sides[-1]) * widths[-1]
        layers += [nn.Flatten(), nn.Linear(flat, self.hidden), ACTIVATIONS[self.activation]()]
        return nn.Sequential(*layers), self.hidden

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """``(batch, size)``, or a map ``(batch, *smaller positions, size)``, to ``(batch, *positions, channels)``."""
        sides = self._sides(shape)
        rank, widths = len(shape) - 1, [*reversed(self.stages), shape[-1]]
        layers = [*self._first_map(size, (widths[0], *sides[-1])), *self._after(widths[0])]
        for stage, (before, after) in enumerate(pairwise(widths)):
            was, becomes = sides[-1 - stage], sides[-2 - stage]
            extra = tuple(large - (2 * side - 1) for side, large in zip(was, becomes, strict=True))
            up = TRANSPOSED[rank]
            layers.append(up(before, after, self.kernel, stride=2, padding=self.kernel // 2, output_padding=extra))
            if stage < len(self.stages) - 1:
                layers += self._after(after)
        return nn.Sequential(*layers, ChannelsLast())

    def _first_map(self, size: int, small: Shape) -> list[nn.Module]:
        """From a code to the smallest map, channels first."""
        if self.hidden is None:
            return [nn.Linear(size, small[0]), ChannelsFirst()]
        dense: list[nn.Module] = [nn.Linear(size, self.hidden), ACTIVATIONS[self.activation]()]
        return [*dense, nn.Linear(self.hidden, cells(small)), nn.Unflatten(1, small)]

    def _after(self, width: int) -> list[nn.Module]:
        """What follows a convolution of ``width`` channels."""
        groups = GROUPS if width % GROUPS == 0 else 1
        norm = [nn.GroupNorm(groups, width)] if self.normalization == "group" else []
        return [*norm, ACTIVATIONS[self.activation]()]

    def _sides(self, shape: Shape) -> list[tuple[int, ...]]:
        """The sides of the map before the first and after each stage."""
        if len(shape) - 1 not in CONVOLUTIONS:
            raise ShapeError(
                f"Conv needs samples of (positions, channels), (height, width, channels) or "
                f"(depth, height, width, channels); these have shape {shape}. MLP takes any shape."
            )
        cells(shape)
        sides = [tuple(shape[:-1])]
        for _ in self.stages:
            sides.append(tuple((side + 1) // 2 for side in sides[-1]))
        return sides

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at each channel's mean."""
        begin_at(decoder, output.reshape(-1, output.shape[-1]).mean(0))

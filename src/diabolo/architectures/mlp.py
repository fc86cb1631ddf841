"""Fully connected layers, as many and as wide as one likes."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ..core.activations import ACTIVATIONS
from ..core.errors import ShapeError
from ..core.kinds import Architecture, Bottleneck, Shape
from ..core.parts import choice, parameters, whole_widths, within
from .layers import NORMALIZATIONS, Dense, Transposed, cells
from .linear import begin_at


@parameters
class MLP(Architecture):
    r"""A multilayer perceptron and its mirror image: :math:`h_i = a(W_i h_{i-1} + b_i)`.

    Parameters
    ----------
    hidden : tuple of int, or int, default (256, 128)
        Widths of the encoder's hidden layers; the decoder has them in reverse. Two layers separate digits well and
        train in seconds.
    activation : str, default "silu"
        Smooth, and on pictures of digits 1 to 3 % better than ReLU at the same cost.
    normalization : {"none", "layer", "rms", "batch"}, default "none"
    residual : bool, default False
        Add each hidden layer's input to its output; helps from about four layers on.
    dropout : float in [0, 1), default 0
        Probability that a hidden unit is zeroed while training.
    tied : bool, default False
        The decoder uses the encoder's weights, transposed: half as many, and the linear case is PCA-like.

    Raises
    ------
    ShapeError
        If a sample holds no numbers, or the weights cannot be tied.

    References
    ----------
    Reducing the Dimensionality of Data with Neural Networks, Hinton and Salakhutdinov, 2006,
    doi:10.1126/science.1127647.

    >>> encoder, width = MLP(hidden=(32, 16)).encoder((8, 8))
    >>> width
    16
    """

    hidden: tuple[int, ...] | int = (256, 128)
    activation: str = choice(*ACTIVATIONS, default="silu")
    normalization: str = choice(*NORMALIZATIONS, default="none")
    residual: bool = False
    dropout: float = within(default=0.0, low=0.0, high=1.0, below=True)
    tied: bool = False

    def check(self) -> MLP:
        """Refuse what the fields do not allow."""
        whole_widths("MLP", "hidden", self.hidden)
        return super().check()

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the encoder's hidden layers; one number is one layer."""
        return whole_widths("MLP", "hidden", self.hidden)

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """``(batch, *shape) -> (batch, hidden[-1])``."""
        widths = [cells(shape), *self.widths]
        return nn.Sequential(nn.Flatten(), *self._stack(widths)), widths[-1]

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """``(batch, size) -> (batch, *shape)``."""
        widths = [size, *reversed(self.widths)]
        return nn.Sequential(*self._stack(widths), nn.Linear(widths[-1], cells(shape)), nn.Unflatten(1, shape))

    def _stack(self, widths: list[int]) -> list[Dense]:
        options = (self.activation, self.normalization, self.residual, self.dropout)
        return [Dense(width_in, width_out, *options) for width_in, width_out in pairwise(widths)]

    def join(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module) -> None:
        """Tie the decoder's weights to the encoder's, where that is asked for."""
        if not self.tied:
            return
        project = getattr(bottleneck, "project", None)
        if not isinstance(project, nn.Linear) or bottleneck.size is None:
            raise ShapeError(
                f"tied=True needs a bottleneck with one linear projection; {type(bottleneck).__name__} has none."
            )
        sources = [layer.linear for layer in encoder.children() if isinstance(layer, Dense)]
        mirrored = [project, *reversed(sources)]
        own = [layer for layer in decoder.children() if isinstance(layer, (Dense, nn.Linear))]
        for place, (layer, source) in enumerate(zip(own, mirrored, strict=True)):
            assert isinstance(source, nn.Linear)
            tied = Transposed(source, rows=bottleneck.size if place == 0 else source.out_features)
            if isinstance(layer, Dense):
                layer.linear = tied
            else:
                decoder[place] = tied  # type: ignore[operator]

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at the data's mean."""
        begin_at(decoder, output)

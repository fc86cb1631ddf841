"""The network: corruption, encoder, bottleneck and decoder in a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from .codes import Code
from .kinds import Architecture, Bottleneck, Corruption, Shape
from .roundtrip import RoundTrip, View


class ViewEncoder(nn.Module, ABC):
    """An encoder that wants to know what is hidden, because it treats absent cells in a way of its own."""

    @abstractmethod
    def forward(self, view: View) -> Tensor:
        """``View -> (batch, ..., width)``."""


class Network(nn.Module):
    r"""Data to code and back: :math:`x \to c(x) \to f(c(x)) \to z \to g(z)`.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample.
    architecture : Architecture
        Plans the encoder :math:`f` and the decoder :math:`g`.
    bottleneck : Bottleneck
        Makes the code :math:`z`. Built here.
    corruption : Corruption
        The :math:`c` that the encoder's input goes through while training. Prepared here.
    output_shape : tuple of int, or None
        The shape of what the decoder gives, where a loss wants several numbers per cell.
    prepare : callable (values, mean) -> Tensor, or None
        What the encoder gets of the data: the loss's ``prepare``; ``None``: the data as it is.
    mean : Tensor, or None
        The training data's mean, of one sample's shape, for ``prepare``.

    >>> from diabolo import MLP, Clean, Identity
    >>> import torch
    >>> trip = Network((4,), MLP(hidden=(8,)), Identity(2), Clean())(torch.zeros(3, 4))
    >>> trip.code.values.shape, trip.output.shape
    (torch.Size([3, 2]), torch.Size([3, 4]))
    """

    mean: Tensor

    def __init__(
        self,
        shape: Shape,
        architecture: Architecture,
        bottleneck: Bottleneck,
        corruption: Corruption,
        output_shape: Shape | None = None,
        prepare: Callable[[Tensor, Tensor], Tensor] | None = None,
        mean: Tensor | None = None,
    ) -> None:
        super().__init__()
        if bottleneck.size is None:
            raise ValueError(f"{bottleneck!r} has no size yet; give it one: {type(bottleneck).__name__}(size=8).")
        self.shape = tuple(shape)
        self.prepare = prepare
        self.register_buffer("mean", None if prepare is None else mean, persistent=False)
        self.computes_in: torch.dtype | None = None  # half precision, on the copy that trains
        self.corruption = corruption.build(self.shape)
        self.encoder, width = architecture.encoder(self.shape)
        self.bottleneck = bottleneck.build(width)
        self.decoder = architecture.decoder(bottleneck.size, self.shape if output_shape is None else output_shape)
        architecture.join(self.encoder, self.bottleneck, self.decoder)

    def forward(
        self,
        x: Tensor,
        known: Tensor | None = None,
        degraded: View | None = None,
        *,
        corrupt: bool | None = None,
        sample: bool | None = None,
    ) -> RoundTrip:
        """Send ``x`` of shape (batch, *shape) on the round trip.

        Parameters
        ----------
        x : Tensor of shape (batch, *shape)
        known : Tensor of bool of the same shape, or None
            What is not known is never read: it is zero for the encoder, and hidden.
        degraded : View, or None
            What the encoder sees instead of ``x``, wherever it would see a corruption.
        corrupt, sample : bool, or None
            Whether to corrupt the input and to draw from the code; ``None``: while training only, so that
            scoring is deterministic.
        """
        target = x if known is None else x.masked_fill(~known, 0.0)
        corrupted = self.training if corrupt is None else corrupt
        start = View(target) if degraded is None or not corrupted else degraded
        view = self.corruption(start.values) if corrupted else start
        if start.hidden is not None:
            view = view.without(start.hidden)
        if known is not None:
            view = view.without(~known)
        features = self.features(view)
        code: Code = self.bottleneck(features)
        if self.training if sample is None else sample:
            code = code.sample()
        return RoundTrip(target, known, view, features, code, self.decoder(code.values))

    def features(self, view: View) -> Tensor:
        """What the encoder makes of a view: ``(batch, ..., width)``."""
        if self.prepare is not None:
            prepared = View(self.prepare(view.values, self.mean))
            view = prepared if view.hidden is None else prepared.without(view.covered())
        if self.computes_in is not None:
            view = View(view.values.to(self.computes_in), view.hidden)
        features: Tensor = self.encoder(view if isinstance(self.encoder, ViewEncoder) else view.values)
        return features

    @cached_property
    def code_shape(self) -> Shape:
        """The shape of one sample's code: ``(size,)``, or positions and channels of a map."""
        return self._probe()[0]

    @cached_property
    def outputs_per_row(self) -> int:
        """How many numbers all layers put out for one row."""
        return self._probe()[1]

    @torch.no_grad()
    def _probe(self) -> tuple[Shape, int]:
        """Send a row of zeros through: the shape of its code, and the numbers that came out of all modules."""
        counted = 0

        def count(module: nn.Module, inputs: object, output: object) -> None:
            nonlocal counted
            counted += output.numel() if isinstance(output, Tensor) else 0

        hooks = [module.register_forward_hook(count) for module in self.modules()]
        training = self.training
        self.eval()
        anything = torch.zeros(1, *self.shape, device=next(self.parameters()).device)
        code: Code = self.bottleneck(self.features(View(anything)))
        if self.decoder is not None:  # only the encoder may have been loaded
            self.decoder(code.values)
        self.train(training)
        for hook in hooks:
            hook.remove()
        return tuple(code.values.shape[1:]), counted

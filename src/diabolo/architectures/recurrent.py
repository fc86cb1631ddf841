"""Recurrent networks for sequences, of one length or of many."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.errors import ShapeError
from ..core.kinds import Architecture, Shape
from ..core.network import ViewEncoder
from ..core.parts import choice, parameters, within
from ..core.roundtrip import View
from .layers import cells

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


@parameters
class Recurrent(Architecture):
    r"""A recurrent network that reads to the last step, and one that tells it all backwards.

    .. math::
        h_t = r(h_{t-1}, x_t), \qquad f(x) = h_T, \qquad
        s_t = r'(s_{t+1}, Az + p_t), \qquad g(z)_t = V s_t + b_t

    The decoder begins with the last step, the freshest in memory; every step of it sees the code :math:`z` and a
    learned vector :math:`p_t` that says where it is. Sequences are aligned at their end: steps that are hidden at the
    front are no part of one. They are never read, and more of them change no code.

    Parameters
    ----------
    cell : {"lstm", "gru"}, default "lstm"
        Long short-term memory, or gated recurrent units: three quarters of the weights, and yet about twice the time
        on a processor. On few rows (JapaneseVowels, 270) the latter leave less error, on more the former.
    hidden : int, default 64
        Numbers in a state; on JapaneseVowels 32 and 128 did no better.
    layers : int, default 1
        Recurrent layers above each other, in the encoder as in the decoder.
    bidirectional : bool, default False
        A second encoder reads from the last step to the first.
    marks_holes : bool, default False
        Tell the encoder which cells are hidden inside a sequence; otherwise they are zeros to it.

    Raises
    ------
    ShapeError
        If a sample is not (positions, channels).

    Notes
    -----
    Nothing is packed: sequences are moved to the front, and the state is taken at their last step, which nothing
    behind it can reach. That costs less than packing, and a sequence gives the same bits alone and among longer ones.
    Muon at a rate of 0.02 gets furthest in few epochs; its usual 0.05 is too much for recurrent weights. For a few
    hundred rows, gated units and Adam at 0.005 are worth a try.

    References
    ----------
    Unsupervised Learning of Video Representations using LSTMs, Srivastava, Mansimov and Salakhutdinov, 2015,
    arXiv:1502.04681 (section 2.2: the target in reverse order).
    Sequence to Sequence Learning with Neural Networks, Sutskever, Vinyals and Le, 2014, arXiv:1409.3215.
    Learning Phrase Representations using RNN Encoder-Decoder, Cho et al., 2014, arXiv:1406.1078 (gated units).
    An Empirical Exploration of Recurrent Network Architectures, Jozefowicz, Zaremba and Sutskever, 2015, PMLR 37:2342
    (forget gates that begin open).

    >>> encoder, width = Recurrent(hidden=16).encoder((20, 3))
    >>> encoder(View(torch.zeros(2, 20, 3))).shape, Recurrent().decoder(4, (20, 3))(torch.zeros(2, 4)).shape
    (torch.Size([2, 16]), torch.Size([2, 20, 3]))
    """

    cell: str = choice("lstm", "gru", default="lstm")
    hidden: int = within(default=64, low=1)
    layers: int = within(default=1, low=1)
    bidirectional: bool = False
    marks_holes: bool = False

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """``(batch, positions, channels) -> (batch, hidden)``, twice as wide where it reads both ways."""
        _, channels = steps_of(shape)
        seen = channels * (2 if self.marks_holes else 1)
        ways = [self._network(seen) for _ in range(2 if self.bidirectional else 1)]
        return LastState(ways, self.marks_holes), self.hidden * len(ways)

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """``(batch, size) -> (batch, positions, channels)``."""
        positions, channels = steps_of(shape)
        return Backwards(self._network(self.hidden), size, positions, channels)

    def _network(self, width: int) -> nn.LSTM | nn.GRU:
        made = CELLS[self.cell](width, self.hidden, self.layers, batch_first=True)
        if isinstance(made, nn.LSTM):  # torch's order is input, forget, cell, output
            for layer in range(self.layers):
                bias: Tensor = getattr(made, f"bias_ih_l{layer}")
                nn.init.ones_(bias.data[self.hidden : 2 * self.hidden])
        return made

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at each step's mean."""
        if isinstance(decoder, Backwards):
            decoder.bias.data.copy_(output.flatten())


def steps_of(shape: Shape) -> tuple[int, int]:
    """Positions and channels of a sample; refuses what is no sequence.

    >>> steps_of((28, 28, 1))
    Traceback (most recent call last):
    diabolo.core.errors.ShapeError: Recurrent needs samples of (positions, channels); these have shape (28, 28, 1). ...
    """
    if len(shape) != 2:
        advice = "Series, given as (rows, length) or (rows, length, channels), are for SequenceAutoencoder."
        if len(shape) > 2:
            advice += " Conv suits pictures."
        raise ShapeError(
            f"Recurrent needs samples of (positions, channels); these have shape {shape}. {advice} MLP takes any shape."
        )
    cells(shape)
    return shape[0], shape[1]


class LastState(ViewEncoder):
    """The state of a recurrent network after a sequence's last step.

    Parameters
    ----------
    ways : list of nn.LSTM or nn.GRU
        The first reads to the last step, the second, where there is one, from it.
    marks_holes : bool
        Whether the networks take a mark for each hidden cell beside its value.
    """

    def __init__(self, ways: list[nn.LSTM | nn.GRU], marks_holes: bool) -> None:
        super().__init__()
        self.ways, self.marks_holes = nn.ModuleList(ways), marks_holes

    def forward(self, view: View) -> Tensor:
        """``View -> (batch, hidden)``, or twice as many."""
        x = view.values
        positions = x.shape[1]
        absent = leading(view)
        if self.marks_holes:
            x = torch.cat([x, view.covered().to(x)], -1)
        last = positions - 1 - absent
        at = (torch.arange(positions, device=x.device) + absent[:, None]).remainder(positions)
        turned = [x.gather(1, at[..., None].expand_as(x)), x.flip(1)]
        states = [way(steps)[0] for way, steps in zip(self.ways, turned, strict=False)]
        return torch.cat([pick(state, last) for state in states], -1)


class Backwards(nn.Module):
    """A recurrent network that is given the code at every step, and tells the last step first.

    Parameters
    ----------
    network : nn.LSTM or nn.GRU
    size, positions, channels : int
    """

    def __init__(self, network: nn.LSTM | nn.GRU, size: int, positions: int, channels: int) -> None:
        super().__init__()
        self.code = nn.Linear(size, network.input_size)
        self.places = nn.Parameter(0.1 * torch.randn(positions, network.input_size))  # the last step's first
        self.network = network
        self.out = nn.Linear(network.hidden_size, channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(positions * channels))  # flat: optimizers treat matrices otherwise

    def forward(self, code: Tensor) -> Tensor:
        """``(batch, size) -> (batch, positions, channels)``."""
        told: Tensor = self.network(self.code(code)[:, None] + self.places)[0]
        steps: Tensor = self.out(told.flip(1))
        return steps + self.bias.view(steps.shape[1:])


def leading(view: View) -> Tensor:
    """How many steps at the front are hidden, ``(batch,)``; one step at least is left.

    >>> leading(View(torch.zeros(1, 4, 2), torch.tensor([[True, True, False, True]])))
    tensor([2])
    """
    absent = view.covered().all(-1).long().cumprod(1).sum(1)
    return absent.clamp(max=view.values.shape[1] - 1)


def pick(states: Tensor, at: Tensor) -> Tensor:
    """One step of each sequence: ``(batch, positions, width) -> (batch, width)``.

    >>> pick(torch.arange(6.0).reshape(2, 3, 1), torch.tensor([0, 2]))
    tensor([[0.],
            [5.]])
    """
    return states.gather(1, at[:, None, None].expand(-1, 1, states.shape[-1])).squeeze(1)

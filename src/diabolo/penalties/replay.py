"""Running parts of the network once more, inside a penalty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..core.network import Network


@contextmanager
def replaying(network: Network, *, learning: bool = True) -> Iterator[None]:
    """Let parts of a network run again: as they would at inference, with gradients that have gradients themselves.

    Nothing is dropped out, counted or gathered a second time, products are in the network's own precision, and
    kernels without a second derivative (fused attention, cuDNN's recurrent layers) are replaced by plain ones.

    Parameters
    ----------
    network : Network
    learning : bool, default True
        Whether gradients reach the network's weights; else only what is sent through it.
    """
    modes = [(module, module.training) for module in network.modules()]
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    halved = network.computes_in is None and any(weight.dtype == torch.bfloat16 for weight in weights)
    recurrent = any(isinstance(module, nn.RNNBase) for module, _ in modes)
    network.eval()
    for weight in weights:
        weight.requires_grad_(learning)
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), ExitStack() as stack:
            stack.enter_context(torch.autocast(next(network.parameters()).device.type, torch.bfloat16, enabled=halved))
            if recurrent and torch.cuda.is_available():
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        for module, mode in modes:
            module.training = mode


def decoded(network: Network, values: Tensor) -> Tensor:
    """What the decoder makes of codes in float32, in the network's precision."""
    output: Tensor = network.decoder(values if network.computes_in is None else values.to(network.computes_in))
    return output

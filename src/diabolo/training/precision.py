"""Computing in half precision while the weights stay in float32."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ..core.network import Network

# The layers whose products are worth halving; everything else keeps float32 and autocast mediates.
PRODUCTS = (nn.Linear, nn.modules.conv._ConvNd)
SMALLEST_WORTHWHILE = 50_000


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16 itself, instead of imitating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    has = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask is not None and ask() for ask in has)


def choose_precision(wanted: str, network: Network, device: torch.device, batch_size: int) -> str:
    """Resolve ``"auto"``: bfloat16 where the hardware has it and the products are large enough to gain.

    Below about 50,000 weights or 64 rows a step is bound by its overhead, and casting only adds to it. On a processor
    the same holds for networks with other weights than those of products (norms, positions), between which autocast
    mediates: a transformer is slower with it than without.
    """
    if wanted != "auto":
        return wanted
    weights = sum(weight.numel() for weight in network.parameters())
    worthwhile = weights >= SMALLEST_WORTHWHILE and batch_size >= 64
    worthwhile = worthwhile and (device.type == "cuda" or only_products(network))
    return "bfloat16" if worthwhile and has_bfloat16(device) else "float32"


def only_products(network: nn.Module) -> bool:
    """Whether all weights belong to products, so that everything can run in half precision without mediation."""
    held = {
        id(weight) for module in network.modules() if isinstance(module, PRODUCTS) for weight in module.parameters()
    }
    return all(id(weight) in held for weight in network.parameters())


class Working:
    """The network that computes: the real one in float32, or a copy whose matrices are in bfloat16.

    Parameters
    ----------
    network : Network
        Holds the weights in float32; the optimizer moves these.
    precision : {"float32", "bfloat16"}
    """

    def __init__(self, network: Network, precision: str) -> None:
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.network = network
        self.copied = precision == "bfloat16"
        if self.copied:
            self.network = copy.deepcopy(network)
            for own, copied in zip(network.modules(), self.network.modules(), strict=True):
                if isinstance(copied, PRODUCTS):
                    copied.to(torch.bfloat16)
                copied._buffers.update(own._buffers)  # running statistics are gathered in one place
            # Where only products have weights, everything can run in bfloat16; otherwise autocast mediates, at a price.
            if all(weight.dtype == torch.bfloat16 for weight in self.network.parameters()):
                self.network.computes_in = torch.bfloat16
            self.copies = [weight for weight in self.network.parameters() if weight.requires_grad]
            self.gradients = [torch.zeros_like(weight) for weight in self.weights]

    def context(self) -> AbstractContextManager[object]:
        """Where round trips are made."""
        if self.network.computes_in is not None or not self.copied:
            return nullcontext()
        return torch.autocast(self.weights[0].device.type, torch.bfloat16)

    def forget_gradients(self) -> None:
        """Before each step."""
        for weight in self.copies if self.copied else self.weights:
            weight.grad = None

    def hand_over_gradients(self) -> list[Tensor]:
        """Give the float32 weights the gradients that the copy gathered, and list them."""
        if self.copied:
            pairs = list(zip(self.weights, self.copies, self.gradients, strict=True))
            used = [(weight, copied.grad, own) for weight, copied, own in pairs if copied.grad is not None]
            for weight, copied, _ in pairs:
                weight.grad = None if copied.grad is None else weight.grad
            torch._foreach_copy_([own for *_, own in used], [gradient for _, gradient, _ in used])
            for weight, _, own in used:
                weight.grad = own
        return [weight.grad for weight in self.weights if weight.grad is not None]

    @torch.no_grad()
    def take_weights(self) -> None:
        """Copy the float32 weights into the copy that computes."""
        if self.copied:
            torch._foreach_copy_(list[Tensor](self.copies), list[Tensor](self.weights))

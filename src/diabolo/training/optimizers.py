"""How weights follow gradients."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..core.members import MemberWeights
from ..core.parts import Part, as_part, every, parameters, plain_name, within

# Coefficients (a, b, c) of the polynomials a x + b x^3 + c x^5 that approach sign(x) fastest, step by step.
POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)


class Optimizer(Part, ABC):
    """A plan for an optimizer; :meth:`build` makes the real one, once there are weights."""

    is_kind: ClassVar[bool] = True
    default_rate: ClassVar[float] = 1e-3

    @abstractmethod
    def build(self, weights: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
        """Make the optimizer for some weights."""


def whitener(matrices: Tensor, steps: int) -> Tensor:
    r"""What orthogonalizes wide matrices: about :math:`(XX^\top)^{-1/2}`, of shape (count, rows, rows).

    The polynomial iteration runs on the small Gram matrix :math:`XX^\top`, and the data matrix is multiplied twice
    in all instead of twice per step: for 128 x 784 that is a third of the work.

    Parameters
    ----------
    matrices : Tensor of shape (count, rows, columns), rows <= columns
        Of Frobenius norm 1 at most.
    steps : int from 1 to 5

    References
    ----------
    The Polar Express: Optimal Matrix Sign Methods and Their Application to the Muon Algorithm, Amsel, Persson,
    Musco and Gower, 2025, arXiv:2505.16932.

    >>> X = torch.nn.functional.normalize(torch.randn(1, 8, 32), dim=(1, 2))
    >>> values = torch.linalg.svdvals(whitener(X, 5) @ X)
    >>> bool(values.min() > 0.8), bool(values.max() < 1.2)
    (True, True)
    """
    gram = matrices @ matrices.mT
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    product: Tensor | None = None
    for place, (a, b, c) in enumerate(POLAR_EXPRESS[:steps]):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c).add_(eye, alpha=a)
        product = factor if product is None else factor @ product
        if place < steps - 1:
            gram = factor @ gram @ factor
    assert product is not None
    return product


def matrices(weight: nn.Parameter, values: Tensor | None = None) -> Tensor:
    """A weight, or values of its shape, as matrices ``(count, rows, columns)``; a vector is one of a single row.

    >>> matrices(nn.Parameter(torch.zeros(8, 3, 5, 5))).shape, matrices(nn.Parameter(torch.zeros(8))).shape
    (torch.Size([1, 8, 75]), torch.Size([1, 1, 8]))
    """
    values = weight if values is None else values
    if isinstance(weight, MemberWeights):
        return values.flatten(2) if values.ndim > 2 else values[:, None]
    return values.flatten(1)[None] if values.ndim > 1 else values.reshape(1, 1, -1)


class MuonAdam(torch.optim.Optimizer):
    """Muon for matrices, Adam for everything else; matrices of one shape are treated in one multiplication."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        momentum: float,
        steps: int,
        vector_rate: float,
        weight_decay: float = 0.0,
    ) -> None:
        shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
        vectors: list[nn.Parameter] = []
        for weight in weights:
            rows, columns = sorted(matrices(weight).shape[1:])
            if rows < 2:
                vectors.append(weight)
            else:
                shapes.setdefault((rows, columns), []).append(weight)
        groups: list[dict[str, Any]] = [{"params": params, "matrix": True} for params in shapes.values()]
        groups += [{"params": vectors, "matrix": False}] if vectors else []
        options = {"lr": lr, "momentum": momentum, "steps": steps, "vector_rate": vector_rate, "decay": weight_decay}
        super().__init__(groups, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Follow the gradients once."""
        for group in self.param_groups:
            params = [weight for weight in group["params"] if weight.grad is not None]
            if not params:
                continue
            if group["matrix"]:
                self._step_matrices(params, group)
            else:
                self._step_vectors(params, group)

    def _step_matrices(self, params: list[nn.Parameter], group: dict[str, Any]) -> None:
        tall = [matrices(weight).shape[1] > matrices(weight).shape[2] for weight in params]
        grads = [matrices(weight, weight.grad) for weight in params if weight.grad is not None]
        gradient = torch.cat([g.mT if flip else g for g, flip in zip(grads, tall, strict=True)])
        state = self.state[params[0]]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer, momentum = state["momentum_buffer"], group["momentum"]
        buffer.lerp_(gradient, 1 - momentum)
        update = gradient.lerp_(buffer, momentum)
        update.div_(torch.linalg.matrix_norm(update, keepdim=True).mul_(1.01).add_(1e-30))
        update = whitener(update, group["steps"]) @ update
        parts = torch.split(update, [len(g) for g in grads])
        for weight, change, flip in zip(params, parts, tall, strict=True):
            rows, columns = matrices(weight).shape[1:]
            rate = group["lr"] * max(1.0, rows / columns) ** 0.5
            change = (change.mT if flip else change).reshape(weight.shape)
            if group["decay"]:
                weight.mul_(1 - group["lr"] * group["decay"])
            if isinstance(rate, Tensor):
                weight.sub_(change * rate)
            else:
                weight.sub_(change, alpha=rate)

    def _step_vectors(self, params: list[nn.Parameter], group: dict[str, Any]) -> None:
        state = self.state[params[0]]
        gradient = torch.cat([weight.grad.flatten() for weight in params if weight.grad is not None])
        if not state:
            state["first"], state["second"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            state["count"] = torch.zeros((), device=gradient.device)
        first, second, count = state["first"], state["second"], state["count"]
        count.add_(1)
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.05)
        unbiased = (second / (1 - 0.95**count)).sqrt_().add_(1e-10)
        change = (first / (1 - 0.9**count) / unbiased).mul_(group["lr"] * group["vector_rate"])
        for weight, part in zip(params, change.split([weight.numel() for weight in params]), strict=True):
            weight.sub_(part.view_as(weight))


@parameters
class Muon(Optimizer):
    r"""Momentum, orthogonalized: :math:`W \leftarrow (1 - \eta\lambda) W - \eta\sqrt{\max(1, r/c)}\;UV^\top`.

    Every direction of a matrix moves equally far, so that weak directions are learned as fast as strong ones; what is
    no matrix follows Adam.
    Autoencoders gain more than most networks: see ``docs/benchmarks.md``.

    Parameters
    ----------
    momentum : float in [0, 1), default 0.95
    steps : int from 1 to 5, default 3
        Polynomial steps of the orthogonalization; on digits more gain nothing.
    vector_rate : float, default 0.1
        Learning rate of biases and other vectors (by Adam), as a share of the matrices' rate.
    weight_decay : float, default 0
        :math:`\lambda`: by which share of the rate matrices shrink in each step. Short trainings gain nothing.

    References
    ----------
    Muon: An optimizer for hidden layers in neural networks, Jordan et al., 2024,
    https://kellerjordan.github.io/posts/muon.
    Muon is Scalable for LLM Training, Liu et al., 2025, arXiv:2502.16982.

    >>> layer = nn.Linear(4, 3)
    >>> type(Muon().build(layer.parameters(), 0.02)).__name__
    'MuonAdam'
    """

    default_rate: ClassVar[float] = 0.05

    momentum: float = within(default=0.95, low=0.0, high=1.0, below=True)
    steps: int = within(default=3, low=1, high=len(POLAR_EXPRESS))
    vector_rate: float = within(default=0.1, low=0.0)
    weight_decay: float = within(default=0.0, low=0.0)

    def build(self, weights: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
        """Make the optimizer for some weights."""
        return MuonAdam(weights, learning_rate, self.momentum, self.steps, self.vector_rate, self.weight_decay)


@parameters
class Torch(Optimizer):
    """Any optimizer of ``torch.optim`` by its name, at torch's own defaults but for the learning rate.

    Parameters
    ----------
    name : str, default "AdamW"
        A class of ``torch.optim``, in any case.
    weight_decay : float, or None
        ``None`` leaves torch's default.
    momentum : float, or None
        For those that have it (SGD, RMSprop); ``None`` leaves torch's default.

    >>> type(Torch("sgd").build(nn.Linear(4, 3).parameters(), 0.1)).__name__
    'SGD'
    """

    name: str = "AdamW"
    weight_decay: float | None = within(default=None, low=0.0)
    momentum: float | None = within(default=None, low=0.0, high=1.0, below=True)

    def check(self) -> Torch:
        """Refuse optimizers that torch does not have or that need another loop."""
        super().check()
        if not isinstance(self.name, str):
            raise TypeError(f"Torch: name came as {self.name!r}; it must be the name of a class of torch.optim.")
        torch_class(self.name)
        return self

    def build(self, weights: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
        """Make the optimizer for some weights; fused where torch can."""
        made = torch_class(self.name)
        takes = inspect.signature(made).parameters
        options: dict[str, Any] = {"lr": learning_rate}
        options |= {k: v for k in ("weight_decay", "momentum") if (v := getattr(self, k)) is not None}
        unknown = sorted(options.keys() - takes.keys())
        if unknown:
            raise ValueError(f"torch.optim.{made.__name__} takes no {', '.join(unknown)}.")
        weights = list(weights)
        if "fused" in takes and all(weight.device.type in ("cpu", "cuda") for weight in weights):
            options["fused"] = True
        if "capturable" in takes and any(weight.is_cuda for weight in weights):
            options["capturable"] = True
        return made(weights, **options)


# These want a closure, sparse gradients or nothing but matrices, and this library's loop has none of these.
UNSUITABLE = {"optimizer", "lbfgs", "sparseadam", "muon"}


def torch_class(name: str) -> Callable[..., torch.optim.Optimizer]:
    """The optimizer of ``torch.optim`` with this name, in any case."""
    known = {
        plain_name(key): value
        for key, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and plain_name(key) not in UNSUITABLE
    }
    if plain_name(name) not in known:
        possible = ", ".join(sorted(value.__name__ for value in known.values()))
        raise ValueError(f"torch.optim has no optimizer {name!r} that fits this loop; possible are {possible}.")
    return known[plain_name(name)]


def as_optimizer(value: Optimizer | str) -> Optimizer:
    """An optimizer given as a part or by name: one of this library's, or one of torch's.

    >>> as_optimizer("muon")
    Muon(momentum=0.95, steps=3, vector_rate=0.1, weight_decay=0.0)
    >>> as_optimizer("adam")
    Torch(name='adam', weight_decay=None, momentum=None)
    """
    if isinstance(value, str) and plain_name(value) not in {plain_name(part.__name__) for part in every(Optimizer)}:
        return Torch(value).check()
    return as_part(Optimizer, value)

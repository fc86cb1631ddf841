"""A dictionary of directions, of which each sample is a sum."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.kinds import Architecture, Bottleneck, Shape
from ..core.parts import parameters
from .layers import cells
from .linear import begin_at


class Atoms(nn.Linear):
    """A linear layer whose columns have length 1, whatever the length of its weights' columns."""

    def forward(self, input: Tensor) -> Tensor:
        """``(..., size) -> (..., cells)``."""
        return functional.linear(input, self.atoms(), self.bias)

    def atoms(self) -> Tensor:
        """The columns that count: ``(cells, size)``."""
        return functional.normalize(self.weight, dim=0)


@parameters
class Dictionary(Architecture):
    r"""Features are the data, and the decoder adds up atoms of length 1: :math:`g(z) = \sum_j z_j d_j + b`.

    With :math:`\lVert d_j\rVert = 1` a code's size means something, and a price on it cannot be dodged. The
    bottleneck's projection begins at the atoms, :math:`W = D^\top`, so that each unit first listens for what it says;
    the two are free afterwards.

    References
    ----------
    Sparse Autoencoders Find Highly Interpretable Features in Language Models, Cunningham et al., 2023,
    arXiv:2309.08600.
    Scaling and evaluating sparse autoencoders, Gao et al., 2024, arXiv:2406.04093 (appendix A.1).

    >>> encoder, width = Dictionary().encoder((8, 8))
    >>> decoder = Dictionary().decoder(100, (8, 8))
    >>> width, torch.allclose(decoder[0].atoms().norm(dim=0), torch.ones(100))
    (64, True)
    """

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Flatten: ``(batch, *shape) -> (batch, cells)``."""
        return nn.Flatten(), cells(shape)

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """Add up atoms, at first in random directions: ``(batch, size) -> (batch, *shape)``."""
        atoms = Atoms(size, cells(shape))
        nn.init.zeros_(atoms.bias)
        with torch.no_grad():
            atoms.weight.copy_(functional.normalize(torch.randn_like(atoms.weight), dim=0))
        return nn.Sequential(atoms, nn.Unflatten(1, shape))

    def join(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module) -> None:
        """Begin with a projection onto the atoms, where the bottleneck has one of that shape."""
        project, atoms = getattr(bottleneck, "project", None), next(decoder.children())
        assert isinstance(atoms, Atoms)
        if isinstance(project, nn.Linear) and project.weight.shape == atoms.weight.T.shape:
            with torch.no_grad():
                project.weight.copy_(atoms.atoms().T)

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at the data's mean."""
        begin_at(decoder, output)

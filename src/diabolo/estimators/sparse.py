"""Autoencoders of whose code few numbers speak."""

from __future__ import annotations

from ..architectures import Dictionary
from ..bottlenecks import BatchTopK, TopK
from ..core.objective import Recipe
from ..core.parts import parameters, within
from ..losses import GaussianLikelihood
from ..penalties import Revival
from .base import Estimator


@parameters
class SparseAutoencoder(Estimator):
    r"""A large code of which few units speak: :math:`\min\ \tfrac1n\sum_i\ell(x_i, g(\mathrm{TopK}(f(x_i)))) + w\,r_i`.

    :math:`r` is the price of :class:`~diabolo.penalties.Revival`, by which silent units learn to explain what the
    others leave.

    Parameters
    ----------
    code_size : int, default 64
        Units; more than a plain code has, because only a few of them speak at once.
    active : int, default 8
        Units that speak at once.
    revival : float, default 1
        Price :math:`w` of what silent units leave unexplained; 0 lets them sleep.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    k-Sparse Autoencoders, Makhzani and Frey, 2013, arXiv:1312.5663.
    Scaling and evaluating sparse autoencoders, Gao et al., 2024, arXiv:2406.04093.

    >>> from diabolo import SparseAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> codes = SparseAutoencoder(epochs=2, random_state=0).fit_transform(load_digits().data)
    >>> codes.shape, int((codes != 0).sum(1).max())
    ((1797, 64), 8)
    """

    code_size: int = within(default=64, low=1)
    active: int = within(default=8, low=1)
    revival: float = within(default=1.0, low=0.0)

    def recipe(self) -> Recipe:
        """The largest few units, and a price that wakes the others."""
        return Recipe(TopK(active=self.active), Revival(self.revival))


@parameters
class SparseDictionary(Estimator):
    r"""Samples as sums of few atoms: :math:`\min\ \tfrac1n\sum_i-\log N(x_i\,|\,Dz_i + b, \sigma^2) + w\,r_i`.

    :math:`z = \mathrm{BatchTopK}(Wx + c)`, atoms :math:`d_j` have length 1, and :math:`r` is the price of
    :class:`~diabolo.penalties.Revival`. The atoms are the columns of ``network_.decoder[0].atoms()``.

    Parameters
    ----------
    code_size : int, default 128
        Atoms, usually more than the data has columns.
    active : int, default 8
        Atoms per sample on average.
    revival : float, default 1
        Price :math:`w` of what silent atoms leave unexplained; 0 lets them sleep.
    **others
        As in every estimator, but for ``architecture`` and ``loss``, which are given:
        :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    BatchTopK Sparse Autoencoders, Bussmann, Leask and Nanda, 2024, arXiv:2412.06410.
    Sparse Autoencoders Find Highly Interpretable Features in Language Models, Cunningham et al., 2023,
    arXiv:2309.08600.

    >>> from diabolo import SparseDictionary
    >>> from sklearn.datasets import load_digits
    >>> model = SparseDictionary(epochs=2, random_state=0).fit(load_digits().data)
    >>> model.network_.decoder[0].atoms().shape
    torch.Size([64, 128])
    """

    code_size: int = within(default=128, low=1)
    active: int = within(default=8, low=1)
    revival: float = within(default=1.0, low=0.0)

    def recipe(self) -> Recipe:
        """The largest few atoms of a batch, and a price that wakes the others."""
        code, price = BatchTopK(active=self.active), Revival(self.revival)
        return Recipe(code, price, loss=GaussianLikelihood(), architecture=Dictionary())

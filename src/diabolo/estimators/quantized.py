"""Autoencoders whose codes are whole numbers."""

from __future__ import annotations

from abc import ABC
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from ..bottlenecks import Codebook, FiniteScalar, Quantizer
from ..core.codes import DiscreteCode
from ..core.errors import DataError, ShapeError
from ..core.objective import Recipe
from ..core.parts import parameters, within
from ..penalties import Commitment
from .base import Estimator


class SymbolAutoencoder(Estimator, ABC):
    """What presets share whose codes can be written down as whole numbers, and be read from them again."""

    def symbols(self, X: Any) -> np.ndarray:
        """Encode as whole numbers: int64 of (rows, *positions of the code, symbols of a position)."""
        codes = [trip.code for trip in self.round_trips(X)]
        return torch.cat([code.symbols for code in codes if isinstance(code, DiscreteCode)]).cpu().numpy()

    @torch.no_grad()
    def from_symbols(self, symbols: Any) -> Any:
        """Decode whole numbers, as :meth:`symbols` gave them: what :meth:`reconstruct` gives, to the bit.

        Raises
        ------
        ShapeError
            If the shape is not the one that :meth:`symbols` gives.
        DataError
            If a number is not whole, or stands for nothing.
        """
        check_is_fitted(self, "network_")
        bottleneck, given = self.network_.bottleneck, np.asarray(symbols)
        assert isinstance(bottleneck, Quantizer)
        shape = (*self.network_.code_shape[:-1], len(bottleneck.alphabet))
        if given.shape[1:] != shape:
            raise ShapeError(f"Symbols came in the shape {given.shape}; this model's are (rows, {str(shape)[1:]}.")
        if given.dtype.kind not in "iu" or (given < 0).any() or (given >= np.array(bottleneck.alphabet)).any():
            raise DataError(
                f"Symbols must be whole numbers from 0 to {min(bottleneck.alphabet) - 1}; {given.dtype} came, from "
                f"{given.min(initial=0)} to {given.max(initial=0)}."
            )
        device = next(self.network_.parameters()).device
        values = bottleneck.look_up(torch.from_numpy(given.astype(np.int64)).to(device))
        return self.inverse_transform(values.flatten(1).cpu().numpy())


@parameters
class VQVAE(SymbolAutoencoder):
    r"""Codes out of learned words: :math:`\min\ -\log p(x|w_k) + \beta\,\lVert z(x) - \mathrm{sg}(w_k)\rVert^2`.

    The word :math:`w_k` is the one nearest to :math:`z(x)`, which gets the gradient of :math:`w_k` (straight through);
    the words are moving averages of what chose them. As each sample (or position of a map) is a few symbols out of
    ``words``, a code can be stored as whole numbers: :meth:`symbols` gives them, :meth:`from_symbols` reads them.

    Pictures are better kept as maps, which have a code for each position; one symbol at each is usual then:
    ``VQVAE(code_size=8, groups=1, words=512, architecture=Conv(hidden=None))``.

    Parameters
    ----------
    words : int, default 256
        Words to choose from: 8 bits a symbol, a byte.
    groups : int, or None
        Symbols for each sample, or for each position of a map: the code's channels are cut into as many parts, each
        with words of its own. ``None``: one symbol for every two channels, or for each where ``code_size`` is odd,
        since a table's row hardly fits into a single byte.
    commitment : float, default 1
        Price :math:`\beta` of the distance to the words, in nats; see :class:`~diabolo.penalties.Commitment`.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Neural Discrete Representation Learning, van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv:1711.00937.

    >>> from diabolo import VQVAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> model = VQVAE(code_size=8, epochs=2, random_state=0).fit(X)
    >>> symbols = model.symbols(X)
    >>> symbols.shape, bool((model.from_symbols(symbols) == model.reconstruct(X)).all())
    ((1797, 4), True)
    """

    words: int = within(default=256, low=2)
    groups: int | None = within(default=None, low=1)
    commitment: float = within(default=1.0, low=0.0)

    def recipe(self) -> Recipe:
        """The nearest words, at the price of the distance to them."""
        pairs = self.code_size // 2 if self.code_size % 2 == 0 else self.code_size
        return Recipe(Codebook(words=self.words, groups=self.groups or pairs), Commitment(self.commitment))


@parameters
class FiniteScalarAutoencoder(SymbolAutoencoder):
    r"""Codes rounded to a grid: :math:`\min\ \tfrac1n\sum_i \ell\big(x_i,\, g(\mathrm{round}_L(\tanh f(x_i)))\big)`.

    A :class:`VQVAE` without words to learn and without a penalty: each of the code's numbers has :math:`L` levels.

    Parameters
    ----------
    levels : int, default 8
        Values that each number can take: 3 bits a symbol.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Finite Scalar Quantization: VQ-VAE Made Simple, Mentzer, Minnen, Agustsson and Tschannen, 2023, arXiv:2309.15505.

    >>> from diabolo import FiniteScalarAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> model = FiniteScalarAutoencoder(levels=5, epochs=2, random_state=0).fit(X)
    >>> model.symbols(X).max()
    np.int64(4)
    """

    levels: int = within(default=8, low=2)

    def recipe(self) -> Recipe:
        """Rounded numbers, for nothing."""
        return Recipe(FiniteScalar(levels=self.levels))

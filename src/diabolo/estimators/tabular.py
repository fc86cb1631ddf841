"""Autoencoders for tables."""

from __future__ import annotations

from ..architectures import Transformer
from ..bottlenecks import Identity
from ..core.objective import Recipe
from ..core.parts import choice, parameters, within
from ..corruptions import BlockMasking
from ..losses import CopiedHoles, FromFactors
from .base import Estimator


@parameters
class TabularMaskedAutoencoder(Estimator):
    r"""Predicts columns from others: :math:`\min\ \tfrac1n\sum_i E_m\,\ell(x_i \odot m, \hat x(x_i \odot (1-m)))`.

    Each column is a token, whatever its kind. In each step half of the columns are hidden, and those that another row
    misses; a small transformer sees the rest, and is judged only by what was hidden. A missing cell is simply
    hidden: ``reconstruct`` fills it from all that is known of its row. :class:`~diabolo.Imputer` does that and leaves
    everything else as it is.

    The prediction begins where a factor analysis ends, :math:`\hat x = E_W[x \mid x_k] + g(f(x_k))`: on tables of a few
    hundred rows that is most of what can be known, and the transformer adds what is not linear
    (:class:`~diabolo.losses.FromFactors`). ``linear=False`` leaves all to the transformer, as the paper does.

    Codes hold only what the transformer says, :math:`z = f(x_k)`. ``inverse_transform`` has nothing but them, so that
    it gives what they add to the row that factors expect of nothing, :math:`E_W[x] + g(z)`: what is not linear, not
    the row that the codes came from. Rows come back by ``reconstruct``; codes that hold whole rows are those of
    ``linear=False``, or of a :class:`~diabolo.VAE`.

    Parameters
    ----------
    mask_ratio : float between 0 and 1, default 0.5
        Share :math:`E\,m` of the columns that is hidden, as the paper found best.
    linear : bool, default True
        Begin at what a factor analysis expects.
    width, depth, decoder_depth, heads : int, default 32, 1, 1 and 4
        Of the transformer (:class:`~diabolo.Transformer`), where no ``architecture`` is given. On tables of hundreds
        of rows wider and deeper ones took several times as long and predicted hidden cells no better.
    code_size : int, default 16
        Numbers per column.
    learning_rate : float, or None, default 0.01
        A fifth of the usual: tables are small, and steps from where the factors end should be.
    epochs : int, or None, default 15
        Few, because most is known before the first step: on hidden cells of tables of hundreds of rows as good as
        training until nothing improved, which took twice as long. ``None``: as many as make a thousand steps and more.
    patience : int, or None, default 10
        Epochs without improvement after which training stops.
    precision : str, default "float32"
        The products of so small blocks are over before half precision has paid for its conversions.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    ReMasker: Imputing Tabular Data with Masked Autoencoding, Du, Melis and Wang, 2023, arXiv:2309.13793.
    CACTI: Leveraging Copy Masking and Contextual Information to Improve Tabular Data Imputation, Gorla, Wang, Liu, An
    and Sankararaman, 2025, arXiv:2506.02306.

    >>> import numpy as np
    >>> from diabolo import TabularMaskedAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(200, 1)) * [1.0, 2.0, -1.0]
    >>> model = TabularMaskedAutoencoder(epochs=2, random_state=0).fit(X)
    >>> bool(abs(model.reconstruct([[1.0, np.nan, -1.0]])[0, 1] - 2.0) < 0.3)
    True
    """

    mask_ratio: float = within(default=0.5, low=0.0, high=1.0, above=True, below=True)
    linear: bool = True
    width: int = within(default=32, low=1)
    depth: int = within(default=1, low=1)
    decoder_depth: int = within(default=1, low=0)
    heads: int = within(default=4, low=1)
    code_size: int = within(default=16, low=1)
    learning_rate: float | None = within(default=0.01, low=0.0, high=1e30, above=True)
    epochs: int | None = within(default=15, low=1)
    patience: int | None = within(default=10, low=1)
    precision: str = choice("auto", "float32", "bfloat16", default="float32")

    def recipe(self) -> Recipe:
        """A code for each column, from those that can be seen; hidden ones are predicted."""
        architecture = Transformer(1, self.width, self.depth, self.decoder_depth, self.heads, "token")
        objective = FromFactors if self.linear else CopiedHoles
        return Recipe(Identity(), None, BlockMasking(self.mask_ratio, 1), None, architecture, objective)

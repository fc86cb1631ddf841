"""Autoencoders that predict what they were not shown."""

from __future__ import annotations

from ..architectures import Transformer
from ..bottlenecks import Identity
from ..core.objective import Recipe
from ..core.parts import choice, parameters, within
from ..corruptions import BlockMasking, Masking
from ..losses import HiddenOnly, PatchError
from .base import Estimator


@parameters
class MaskedAutoencoder(Estimator):
    r"""Sees some patches, predicts others: :math:`\min\ \tfrac1n\sum_i E_m\,\ell(x_i \odot m, g(f(x_i \odot (1-m))))`.

    Patches are columns of rows, spans of signals, squares of pictures. A transformer encodes only those that can be
    seen, and is judged only by the others. To reconstruct, each part is predicted from others by complementary masks,
    so that an error says how much a cell departs from what the rest of its row lets expect. Missing cells are simply
    hidden: ``reconstruct`` fills them.

    ``transform`` gives the codes of all tokens, one after the other. With ``architecture=Transformer()`` it gives
    ``code_size`` numbers that one further token has gathered from all others.

    Parameters
    ----------
    mask_ratio : float between 0 and 1, default 0.5
        Share :math:`E\,\overline m` of the patches that is hidden. A half is right for columns of tables, and within
        what hardly matters for pictures, where neighbors tell so much that 0.75 makes better features in less time.
    patch : int, or None
        Side of a patch in cells; ``None``: one column of a row, else the root of the shortest side.
    normalize : bool, default False
        Count errors in units of each patch's deviation, in place of ``loss``: :class:`~diabolo.losses.PatchError`.
        On pictures the paper found better features with it.
    precision : str, default "float32"
        The products of so small blocks are over before half precision has paid for its conversions.
    code_size : int, default 8
        Numbers per token, or per sample where the architecture makes one code for all.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Masked Autoencoders Are Scalable Vision Learners, He, Chen, Xie, Li, Dollar and Girshick, 2021, arXiv:2111.06377.
    ReMasker: Imputing Tabular Data with Masked Autoencoding, Du, Melis and Wang, 2023, arXiv:2309.13793.

    >>> from diabolo import MaskedAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images
    >>> model = MaskedAutoencoder(code_size=4, epochs=2, random_state=0).fit(X[:500])
    >>> model.transform(X[:5]).shape, model.reconstruct(X[:5]).shape
    ((5, 36), (5, 8, 8))
    """

    mask_ratio: float = within(default=0.5, low=0.0, high=1.0, above=True, below=True)
    patch: int | None = within(default=None, low=1)
    normalize: bool = False
    precision: str = choice("auto", "float32", "bfloat16", default="float32")

    def check_parameters(self) -> None:
        """Refuse two losses at once."""
        super().check_parameters()
        if self.normalize and self.loss is not None:
            raise ValueError(
                f"MaskedAutoencoder: loss came as {self.loss!r} together with normalize=True, which is a loss of its "
                "own. Leave one of them out."
            )

    def recipe(self) -> Recipe:
        """A code for each token, from those that can be seen; hidden ones are predicted."""
        architecture = None if self.architecture else Transformer(self.patch, codes="token")
        loss = PatchError(self.patch) if self.normalize else None
        return Recipe(Identity(), None, BlockMasking(self.mask_ratio, self.patch), loss, architecture, HiddenOnly)


@parameters
class BlindSpotAutoencoder(Estimator):
    r"""Denoises without clean data: :math:`\min\ \tfrac1n\sum_i E_m\,\ell(x_i \odot m, g(f(x_i \odot (1-m))))`.

    Cells are hidden by chance (set to zero) and predicted from the others. Noise that is independent from cell to cell
    cannot be predicted, so what is predicted is what was below it: ``reconstruct`` gives back data with less noise,
    though none without noise was ever seen. Pictures want ``architecture="conv"``, since neighbors tell most.

    Parameters
    ----------
    share : float between 0 and 1, default 0.25
        Share :math:`E\,\overline m` of the cells that is hidden. Less hides less of what is needed, but teaches less
        per step and takes more trips to reconstruct: four at a quarter, ten at a tenth.
    averaging : float, default 0.9
        What is predicted while training is noise for the most part, and so are gradients; averaged weights are calmer.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Noise2Self: Blind Denoising by Self-Supervision, Batson and Royer, 2019, arXiv:1901.11365.
    Noise2Void - Learning Denoising from Single Noisy Images, Krull, Buchholz and Jug, 2019, arXiv:1811.10980.

    >>> import numpy as np
    >>> from diabolo import BlindSpotAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> noisy = load_digits().data / 16 + 0.4 * np.random.default_rng(0).normal(size=(1797, 64))
    >>> model = BlindSpotAutoencoder(code_size=16, epochs=10, random_state=0).fit(noisy)
    >>> bool(np.square(model.reconstruct(noisy) - load_digits().data / 16).mean() < 0.5 * 0.4**2)
    True
    """

    share: float = within(default=0.25, low=0.0, high=1.0, above=True, below=True)
    averaging: float = within(default=0.9, low=0.0, high=1.0, below=True)

    def recipe(self) -> Recipe:
        """A plain code of what can be seen; what cannot is predicted."""
        return Recipe(Identity(), corruption=Masking(self.share), objective=HiddenOnly)

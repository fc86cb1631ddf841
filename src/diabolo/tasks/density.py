"""Where codes lie: densities that are fitted to the codes of a trained autoencoder, and drawn from."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ..core.parts import Part, parameters, within

HELD_OUT = 0.1
FEWEST_ROWS = 20  # below, nothing is held out
MOST_COMPONENTS = 64
GROWTH = 4  # how the number of components grows from one try to the next
ROWS_PER_NUMBER = 0.5  # rows for each number that a component learns, at least


class Density(Part, ABC):
    """Learns where codes lie, once they are all known, and draws new ones."""

    is_kind: ClassVar[bool] = True

    @abstractmethod
    def fit(self, codes: np.ndarray, spread: np.ndarray, seed: int) -> Self:
        """Learn from codes ``(rows, size)`` and the deviation of each of their numbers, 0 where codes are points."""

    @abstractmethod
    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """New codes: ``(count, size)``."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What was learned, for a model file."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`arrays`."""


@parameters
class Mixture(Density):
    r"""Gaussians with full covariances: :math:`p(z) = \sum_k \pi_k\,N(z; m_k, S_k)`, as many as held-out codes ask for.

    A prior says where codes should lie, a mixture where they do: a variational autoencoder samples far better from it.

    Parameters
    ----------
    components : int, or None
        How many; ``None``: 1, 4, 16 or 64, as long as a tenth of the codes, which is held out, gets likelier.
    floor : float, default 0.0001
        Added to the variances, relative to the codes' own: no component narrows down to a single row.

    References
    ----------
    From Variational to Deterministic Autoencoders, Ghosh, Sajjadi, Vergari, Black and Schoelkopf, 2020,
    arXiv:1903.12436 (density estimation after training, section 4).

    >>> random = np.random.default_rng(0)
    >>> codes = np.concatenate([random.normal(-5, 1, (100, 2)), random.normal(5, 1, (100, 2))])
    >>> fitted = Mixture().fit(codes, np.zeros_like(codes), seed=0)
    >>> len(fitted.shares), fitted.draw(3, random).shape
    (4, (3, 2))
    """

    components: int | None = within(default=None, low=1)
    floor: float = within(default=1e-4, low=0.0, above=True)

    def fit(self, codes: np.ndarray, spread: np.ndarray, seed: int) -> Self:
        """Fit so many Gaussians, or as many as a tenth of the codes that is held out asks for."""
        codes = codes + spread * np.random.default_rng(seed).standard_normal(codes.shape)
        center, scale = codes.mean(0), codes.std(0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        scaled = (codes - center) / scale
        if self.components is None:
            made = self.choose(scaled, seed)
        else:
            made = self.gaussians(scaled, min(self.components, len(scaled)), seed)
        self.shares = np.asarray(made.weights_ / made.weights_.sum())
        self.means = np.asarray(made.means_ * scale + center)
        self.factors = np.linalg.cholesky(made.covariances_) * scale[:, None]
        return self

    def choose(self, codes: np.ndarray, seed: int) -> Any:
        """The Gaussians under which held-out codes are likeliest; more of them until those no longer get likelier."""
        if len(codes) < FEWEST_ROWS:
            return self.gaussians(codes, 1, seed)
        order = np.random.default_rng(seed).permutation(len(codes))
        held = round(HELD_OUT * len(codes))
        rest, judged = codes[order[held:]], codes[order[:held]]
        size = codes.shape[1]
        learned = 1 + size + size * (size + 1) / 2
        most = min(MOST_COMPONENTS, int(len(rest) / (ROWS_PER_NUMBER * learned)))
        best = self.gaussians(rest, 1, seed)
        count = GROWTH
        while count <= most:
            made = self.gaussians(rest, count, seed)
            if made.score(judged) <= best.score(judged):
                break
            best, count = made, count * GROWTH
        return best

    def gaussians(self, codes: np.ndarray, count: int, seed: int) -> Any:
        """So many Gaussians by expectation and maximization."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        if len(codes) == 1:
            codes = np.repeat(codes, 2, axis=0)
        made = GaussianMixture(count, reg_covar=self.floor, max_iter=60, random_state=seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps short of the best is good enough
            return made.fit(codes)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """A Gaussian by its share, then a code from it."""
        which = random.choice(len(self.shares), size=count, p=self.shares)
        noise = random.standard_normal((count, self.means.shape[1]))
        drawn = np.empty_like(noise)
        for at in np.unique(which):
            here = which == at
            drawn[here] = self.means[at] + noise[here] @ self.factors[at].T
        return drawn

    def arrays(self) -> dict[str, np.ndarray]:
        """Shares, means, and the triangular roots of the covariances."""
        return {"shares": self.shares, "means": self.means, "factors": self.factors}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`arrays`."""
        self.shares, self.means, self.factors = (np.asarray(arrays[name]) for name in ("shares", "means", "factors"))
        return self


__all__ = ["Density", "Mixture"]

"""Windows of series: how long they are, which are trained on, and how strange a fitted estimator finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.utils import get_tags

from ..core.errors import DataError
from ..data.ragged import RaggedSource
from ..data.series import Series, SeriesScaling
from ..data.windows import WINDOWS_TOGETHER, beginnings, cut, stretches_of
from ..estimators.base import Estimator
from ..estimators.classic import LinearAutoencoder
from ..training.seeding import mix

LEAST_WINDOW, LONGEST_WINDOW = 128, 512
MOST_CELLS = 1000  # numbers in a window that is chosen here: what their components cost grows with the cube
MOST_WINDOWS = 2000  # to train on
FEWER_WINDOWS = 500  # where a block is left out
STRIDES = 8  # windows that cover a point
EXPLAINED = 0.99  # share of the windows' variance that the usual code keeps
LARGEST_CODE = 150
LEAST_SPREAD = 1e-3  # of the errors of a channel, in variances of the channel
BLOCKS = 3  # of time, each left out once
FILLING_ROUNDS, SETTLED = 30, 0.01  # deviations
REFERENCES = 1000
REFERRING = 0x5E1E  # a position of its own among the seeds


# Before the fit


def usual_window(period: int | None, room: int, channels: int) -> int:
    """As many periods as reach 128 points, within 512 points, 1,000 numbers, and the room that there is.

    >>> usual_window(50, 500, 1), usual_window(None, 500, 1), usual_window(None, 500, 38), usual_window(50, 100, 1)
    (150, 128, 26, 100)
    """
    window = period or LEAST_WINDOW
    window *= -(-LEAST_WINDOW // window)
    return max(2, min(window, LONGEST_WINDOW, MOST_CELLS // channels, room))


def training_windows(fronts: Sequence[Series], window: int, most: int = MOST_WINDOWS) -> np.ndarray:
    """Windows of all series, evenly, not twice ``most``; those without a known cell are left out."""
    places = sum(max(len(front) - window + 1, 0) for front in fronts)
    stride = max(1, places // most)
    windows = np.concatenate([cut(part, beginnings(len(part), window, stride), window) for part in fronts])
    there = ~np.isnan(windows).all((1, 2))
    if not there.any():
        raise DataError(f"No window of {window} points holds a known value. Give series with fewer gaps.")
    kept: np.ndarray = windows[there]
    return kept


def default_estimator(windows: np.ndarray) -> LinearAutoencoder:
    """Two matrices, and a code that keeps 99 % of the variance of the windows.

    >>> waves = np.sin(np.arange(40)[:, None] + np.arange(16))[:, :, None]
    >>> default_estimator(waves).code_size
    2
    """
    rows = np.nan_to_num(windows.reshape(len(windows), -1))
    rows = rows - rows.mean(0)
    products = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    variances = np.maximum(np.linalg.eigvalsh(products)[::-1], 0.0)
    total = variances.sum()
    size = 1 + int(np.sum(np.cumsum(variances) < EXPLAINED * total)) if total > 0 else 1
    return LinearAutoencoder(code_size=max(1, min(size, LARGEST_CODE, rows.shape[1] // 2)))


def left_out(fronts: Sequence[Series], window: int) -> Iterator[tuple[list[Series], list[Series]]]:
    """Everything but a block of time, and the block: a third of each long series, and one in three short ones.

    >>> [[len(part) for part in block] for _, block in left_out([np.zeros((90, 1)), np.zeros((30, 1))], 20)]
    [[30, 30], [30], [30]]
    """
    long = [values for values in fronts if len(values) >= BLOCKS * window]
    short = [values for values in fronts if window <= len(values) < BLOCKS * window]
    for turn in range(BLOCKS):
        rest, block = short[:], short[turn::BLOCKS]
        del rest[turn::BLOCKS]
        for values in long:
            start, stop = (share * len(values) // BLOCKS for share in (turn, turn + 1))
            rest += [part for part in (values[:start], values[stop:]) if len(part)]
            block.append(values[start:stop])
        if all(any(np.isfinite(part).any() for part in parts) for parts in (rest, block)):
            yield rest, block


def as_rows(windows: np.ndarray, estimator: Any) -> Any:
    """Windows as the estimator takes them: flat rows, or sequences where it wants positions."""
    values = windows.astype(np.float32)
    if get_tags(estimator).input_tags.two_d_array:
        return values.reshape(len(values), -1)
    return RaggedSource(list(values), "the windows")


# After it


@dataclass(frozen=True)
class Judged:
    """What the estimator makes of some windows.

    Parameters
    ----------
    errors : ndarray of shape (windows, channels)
        Mean squared errors over known cells, in variances of the channel; 0 where none is known.
    known : ndarray of shape (windows, channels)
        How many cells those are.
    distances : ndarray of shape (windows,)
        Squared, of the codes to one of the nearest among the references; 0 where neighbors are not asked for.
    expected : ndarray of shape (windows, window, channels)
        In the units of the data.
    """

    errors: np.ndarray
    known: np.ndarray
    distances: np.ndarray
    expected: np.ndarray


@dataclass
class WindowJudge:
    """Says of windows how strange they are: by errors and neighbors, each in units of what is usual.

    Parameters
    ----------
    estimator : Estimator
        Fitted on windows.
    scaling : SeriesScaling
        The units that it sees them in.
    neighbors : int
        Which of the nearest references counts; 0: none.

    Attributes
    ----------
    references : ndarray of shape (windows, code)
        Codes of training windows, in ``units``.
    units : ndarray of shape (code,)
        Roots of the codes' deviations; infinite where a code does not vary.
    spread : ndarray of shape (channels,)
        Each channel's root mean square, over windows, of their mean squared errors: what it does at times counts.
    typical : ndarray of shape (2,)
        A window's mean error in these units, and its mean squared distance.
    """

    estimator: Estimator
    scaling: SeriesScaling
    neighbors: int

    references: np.ndarray
    units: np.ndarray
    spread: np.ndarray
    typical: np.ndarray

    @classmethod
    def learned(
        cls, estimator: Estimator, scaling: SeriesScaling, neighbors: int, prepared: np.ndarray, seed: int
    ) -> Self:
        """With references among the training windows, ``(windows, window, channels)``; nothing is usual yet."""
        references, units = np.zeros((0, 1)), np.ones(1)
        if neighbors:
            chosen = np.random.default_rng(mix(seed, REFERRING)).permutation(len(prepared))[:REFERENCES]
            codes = estimator.transform(as_rows(prepared[np.sort(chosen)], estimator)).astype(np.float64)
            deviations = codes.std(0)
            units = np.sqrt(np.where(deviations > 1e-6 * max(deviations.max(), 1e-300), deviations, np.inf))
            references = codes / units
        return cls(estimator, scaling, neighbors, references, units, np.ones(prepared.shape[2]), np.ones(2))

    def learn_spread(self, fronts: Sequence[Series], window: int, usual: LinearAutoencoder) -> None:
        """Each channel's unit: the root mean square of what linear codes err there in blocks they were not fitted to.

        A channel that moved once is learned with that, and would be taken for one that never errs. The codes are like
        the ``usual`` one whichever estimator there is, and learn gaps as that estimator fills them. Where no block can
        be left out, its own errors have to do, and a single channel's unit cancels out.
        """
        stride = max(1, window // 2)
        unseen = []
        for rest, block in left_out(fronts, window) if fronts[0].shape[1] > 1 else ():
            rows = as_rows(self._filled(self.scaling(training_windows(rest, window, FEWER_WINDOWS))[0]), usual)
            code = clone(usual).set_params(code_size=min(usual.code_size, len(rows)), random_state=0).fit(rows)
            unseen += replace(self, estimator=code, neighbors=0).judged(block, window, stride)
        judged = unseen or self.judged(fronts, window, stride)
        errors, known = (np.concatenate([getattr(each, name) for each in judged]) for name in ("errors", "known"))
        squares = (known * errors**2).sum(0) / np.maximum(known.sum(0), 1)
        self.spread = np.maximum(np.sqrt(squares), LEAST_SPREAD)

    def learn_typical(self, parts: Sequence[Series], window: int, stride: int) -> None:
        """A window's mean error in units of its channels, and its mean squared distance."""
        judged = self.judged(parts, window, stride)
        there = np.concatenate([each.known.sum(1) > 0 for each in judged])
        departures = np.concatenate([self.departures(each) for each in judged])
        distances = np.concatenate([each.distances for each in judged])
        if there.any():
            means = np.array([departures[there].mean(), distances[there].mean()])
            self.typical = np.where(means > LEAST_SPREAD, means, LEAST_SPREAD)

    def judged(self, parts: Sequence[Series], window: int, stride: int) -> list[Judged]:
        """What the estimator makes of all windows of some series."""
        return [
            self.judge(cut(part, at[stretch], window))
            for part in parts
            for at in [beginnings(len(part), window, stride)]
            for stretch in stretches_of(len(at), WINDOWS_TOGETHER)
        ]

    def departures(self, judged: Judged) -> np.ndarray:
        """Errors in units of their channels, as means over known cells, ``(windows,)``."""
        return np.asarray(self.parts(judged).sum(1) / np.maximum(judged.known.sum(1), 1))

    def parts(self, judged: Judged) -> np.ndarray:
        """What each channel adds to these, before the mean, ``(windows, channels)``."""
        return np.asarray(judged.known * judged.errors / self.spread)

    def judge(self, windows: np.ndarray) -> Judged:
        """Send windows ``(windows, window, channels)`` on the round trip."""
        prepared, back = self.scaling(windows)
        known = ~np.isnan(prepared)
        prepared = self._filled(prepared)
        rows = as_rows(prepared, self.estimator)
        outputs = self._back(rows).reshape(prepared.shape)
        errors = (np.where(known, prepared - outputs, 0.0) ** 2).sum(1) / np.maximum(known.sum(1), 1)
        distances = np.zeros(len(windows))
        if self.neighbors:
            codes = self.estimator.transform(rows).astype(np.float64) / self.units
            kth = min(self.neighbors, len(self.references)) - 1
            distances = np.partition(cdist(codes, self.references, "sqeuclidean"), kth, axis=1)[:, kth]
        return Judged(errors, known.sum(1), distances, back(outputs))

    def _back(self, rows: Any) -> np.ndarray:
        """What comes back from the round trip."""
        return np.stack(list(self.estimator.reconstruct(rows))).astype(np.float64)

    def _filled(self, prepared: np.ndarray) -> np.ndarray:
        """Windows whose gaps hold what comes back for them, again and again until that settles.

        An encoder for which a gap is merely hidden takes it for a mean; so the known rest decides alone.
        """
        holes = np.isnan(prepared)
        filled = prepared.copy()
        going = np.flatnonzero(holes.any((1, 2)) & ~holes.all((1, 2)))
        for done in range(FILLING_ROUNDS):
            if not len(going):
                break
            back = self._back(as_rows(filled[going], self.estimator)).reshape(len(going), *prepared.shape[1:])
            moved = np.where(holes[going], np.abs(back - np.nan_to_num(filled[going])), 0.0).max((1, 2))
            filled[going] = np.where(holes[going], back, filled[going])
            if done:
                going = going[moved > SETTLED]  # each window by itself: its score must not depend on others
        return filled

    def say(self, windows: np.ndarray, explained: bool = False) -> np.ndarray:
        """What each window says of its points: the score, and if asked each channel's share and what was expected."""
        judged = self.judge(windows)
        cells, channels = judged.known.sum(1), windows.shape[2]
        scores = self.departures(judged) / self.typical[0] + judged.distances / self.typical[1] / channels**2
        scores = np.where(cells > 0, scores, np.nan)
        said = np.repeat(scores[:, None, None], windows.shape[1], axis=1)
        if not explained:
            return said
        parts = self.parts(judged)
        whole = parts.sum(1)
        even = np.full(parts.shape, 1 / channels)
        shares = np.where(whole[:, None] > 0, parts / np.where(whole > 0, whole, 1.0)[:, None], even)
        shares = np.where(cells[:, None] > 0, shares, np.nan)
        return np.concatenate([said, np.repeat(shares[:, None], windows.shape[1], axis=1), judged.expected], axis=2)

    # Storage

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file holds of it beside the estimator."""
        own = {name: getattr(self, name) for name in ("references", "units", "spread", "typical")}
        return own | {"center": self.scaling.center, "scale": self.scaling.scale}

    @classmethod
    def restore(
        cls, estimator: Estimator, normalize: str, neighbors: int, channels: int, arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """The reverse of :meth:`arrays`; an array that is absent or of a senseless shape is named.

        Raises
        ------
        ValueError
        """
        for name in ("references", "units", "spread", "typical", "center", "scale"):
            if name not in arrays:
                raise ValueError(f"its {name!r} are missing.")
        code = arrays["references"].shape[-1:]
        shapes = dict.fromkeys(["spread", "center", "scale"], (channels,)) | {"units": code, "typical": (2,)}
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"its {name!r} are {arrays[name].shape}, which must be {shape}.")
        own = (arrays[name] for name in ("references", "units", "spread", "typical"))
        return cls(estimator, SeriesScaling(arrays["center"], arrays["scale"], normalize), neighbors, *own)

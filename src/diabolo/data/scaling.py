"""From the user's units to the network's and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..core.errors import DataError
from .source import Source

BLOCK_CELLS = 2_000_000
LARGEST_SCALED = 1e15  # its square, summed over many cells, is still a float32
LEAST_UNSCALED = 1e-37  # below it float32 tells hardly any numbers apart
LARGEST_DEVIATION = 1e303  # what lies some thousands of them from the mean is still a float64
SCALINGS = ("auto", "standard", "unit", "center", "none")


@dataclass(frozen=True)
class Statistics:
    """What one pass over a source tells, cell by cell; missing cells do not count.

    Parameters
    ----------
    count, mean, deviation, smallest, largest : ndarray of shape ``source.shape``
    whole : bool
        Whether all known values are whole numbers.
    missing : int
        How many cells are missing.
    """

    count: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    smallest: np.ndarray
    largest: np.ndarray
    whole: bool
    missing: int


def stretches(source: Source, multiple: int = 1) -> list[tuple[int, int]]:
    """Where to cut a source so that a stretch is a few megabytes, and all but the last a multiple of some rows."""
    cells = max(1, int(np.prod(source.shape, dtype=np.int64)))
    step = max(1, BLOCK_CELLS // cells // multiple) * multiple
    return [(start, min(start + step, source.rows)) for start in range(0, source.rows, step)]


def survey(source: Source) -> Statistics:
    """Read a source and gather its statistics; once more where cells are so small or large that squares are lost.

    >>> from diabolo.data.memory import ArraySource
    >>> survey(ArraySource(np.array([[0.0, 1.0], [2.0, np.nan]]))).mean.tolist()
    [1.0, 1.0]
    >>> survey(ArraySource(np.array([[1e-300], [3e-300]]))).deviation.tolist()
    [1e-300]
    """
    facts = gather(source)
    reach = facts.largest / 2 - facts.smallest / 2
    least = np.sqrt(np.finfo(source.dtype if source.dtype.kind == "f" else np.float64).tiny)
    lost = (reach > 0) & ~((facts.deviation > least) & (facts.deviation < np.inf))
    if lost.any():
        unit = np.where(lost, np.ldexp(1.0, np.clip(np.frexp(reach)[1], -1000, 1000)), 1.0)
        told = gather(source, unit)
        facts = replace(facts, mean=told.mean * unit, deviation=told.deviation * unit)
    if not (facts.deviation <= LARGEST_DEVIATION).all():
        at = int(np.flatnonzero(~(facts.deviation.ravel() <= LARGEST_DEVIATION))[0])
        what = f"cell {at} of the samples" if source.names is None else f"column {source.names[at]!r}"
        low, high = facts.smallest.ravel()[at], facts.largest.ravel()[at]
        raise DataError(
            f"{source.place}: {what} varies more than numbers can say, from {low:g} to {high:g}; look for extreme "
            "values in it."
        )
    facts.smallest[facts.count == 0] = facts.largest[facts.count == 0] = 0.0
    return facts


def gather(source: Source, unit: np.ndarray | None = None) -> Statistics:
    """One pass, merging stretches exactly (Chan's formula); mean and deviation in a unit for each cell."""
    shape = source.shape
    count, mean, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    smallest, largest = np.full(shape, np.inf), np.full(shape, -np.inf)
    whole, missing = True, 0
    for start, stop in stretches(source):
        block = source.read(start, stop)
        known = known_cells(block, source, start)
        missing += 0 if known is None else int(known.size - known.sum())
        whole = whole and is_whole(block, known)
        block = block if unit is None else block / unit
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is gathered again
            part = summarize(block, known)
            merged = count + part.count
            share = part.count / np.maximum(merged, 1)
            difference = part.mean - mean
            squares += part.deviation**2 * part.count + difference**2 * count * share
            mean = mean + difference * share
        count = merged
        smallest, largest = np.minimum(smallest, part.smallest), np.maximum(largest, part.largest)
    deviation = np.sqrt(squares / np.maximum(count, 1))
    return Statistics(count, mean, deviation, smallest, largest, whole, missing - source.padding)


def summarize(block: np.ndarray, known: np.ndarray | None) -> Statistics:
    """The statistics of one stretch; torch goes over whole cells on all cores."""
    if known is None:
        values = torch.from_numpy(block if block.dtype in (np.float32, np.float64) else block.astype(np.float64))
        variance, mean = torch.var_mean(values, dim=0, correction=0)
        low, high = torch.aminmax(values, dim=0)
        count = np.full(block.shape[1:], float(len(block)))
        center, deviation, smallest, largest = (part.double().numpy() for part in (mean, variance.sqrt(), low, high))
        return Statistics(count, center, deviation, smallest, largest, whole=False, missing=0)
    count = known.sum(0).astype(np.float64)
    center = np.where(known, block, 0).sum(0, dtype=np.float64) / np.maximum(count, 1)
    squares = np.square(np.where(known, block - center, 0), dtype=np.float64).sum(0)
    smallest = np.where(known, block, np.inf).min(0).astype(np.float64)
    largest = np.where(known, block, -np.inf).max(0).astype(np.float64)
    deviation = np.sqrt(squares / np.maximum(count, 1))
    return Statistics(count, center, deviation, smallest, largest, whole=False, missing=0)


def is_whole(block: np.ndarray, known: np.ndarray | None) -> bool:
    """Whether all known cells are whole numbers."""
    if block.dtype.kind != "f":
        return True
    cells = block if known is None else block[known]
    first = cells[:1]  # one row is usually enough to say no
    return bool((np.floor(first) == first).all()) and bool((np.floor(cells) == cells).all())


def known_cells(block: np.ndarray, source: Source, start: int) -> np.ndarray | None:
    """Which cells are there, or ``None`` if all are; infinities are refused.

    One product of all cells with themselves says at once that all are finite; only otherwise is it worth a closer look.
    """
    if block.dtype.kind != "f" or sum_of_squares(block) < np.inf:
        return None
    refuse(
        np.isinf(block), block, source, start, "is infinity (inf). Only finite numbers and NaN (missing) can be used"
    )
    known = ~np.isnan(block)
    return None if known.all() else known


def sum_of_squares(block: np.ndarray) -> float:
    """All cells squared and summed, or infinity where that is no finite number."""
    with np.errstate(all="ignore"):
        flat = block.reshape(-1)
        total = float(np.dot(flat, flat))
    return total if np.isfinite(total) else np.inf


def refuse_extreme(scaled: np.ndarray, values: np.ndarray, source: Source, start: int, advice: str = "") -> None:
    """Numbers whose squares would overflow cannot be learned or scored; name the first."""
    if sum_of_squares(scaled) >= LARGEST_SCALED**2:
        too_large = ~(np.abs(scaled.reshape(values.shape)) < LARGEST_SCALED)
        refuse(too_large, values, source, start, f"is too far from the rest to be computed with in float32{advice}")


def refuse(wrong: np.ndarray, values: np.ndarray, source: Source, start: int, what: str) -> None:
    """Name the first wrong cell, if there is one."""
    if not wrong.any():
        return
    row, *cell = (int(place) for place in np.argwhere(wrong)[0])
    value = source.told(start + row, tuple(cell), values[(row, *cell)])
    where = source.where(start + row, tuple(cell))
    raise DataError(f"{source.place}: {where} ({value}) {what}; replace it or mark it as missing (NaN).")


@dataclass(frozen=True)
class Scaling:
    r"""A shift and a stretch, :math:`x' = (x - c)/s`, one pair for each cell or one for all.

    Parameters
    ----------
    center, scale : ndarray
        Of shape ``()`` or the shape of a sample.
    unit : bool
        Whether all training data comes to lie between 0 and 1.

    >>> Scaling(np.array(1.0), np.array(2.0), False).forward(np.array([[5.0]])).tolist()
    [[2.0]]
    """

    center: np.ndarray
    scale: np.ndarray
    unit: bool

    @property
    def changes_nothing(self) -> bool:
        """Whether both units are the same."""
        return self.center.ndim == 0 and self.center == 0 and self.scale == 1

    def forward(self, values: np.ndarray) -> np.ndarray:
        """The user's units to the network's, in float32, without a copy where nothing changes."""
        plain = self.center.ndim == 0 and self.center == 0
        with np.errstate(over="ignore"):  # what does not fit into float32 is refused by name afterwards
            if self.changes_nothing:
                return np.ascontiguousarray(values, dtype=np.float32)
            if plain and self.scale > 1e-30 and (values.dtype == np.float32 or values.dtype.kind in "bu"):
                return np.multiply(values, np.float32(1 / self.scale), dtype=np.float32)  # exact enough, not shifted
            return ((values.astype(np.float64) - self.center) / self.scale).astype(np.float32)

    def backward(self, values: np.ndarray) -> np.ndarray:
        """The network's units to the user's, in float64 where that matters."""
        if self.changes_nothing:
            return values
        return values.astype(np.float64) * self.scale + self.center


def choose_scaling(wanted: str, facts: Statistics, named: bool) -> Scaling:
    """Turn a wish into numbers.

    ``"auto"`` looks whether the cells are of one unit (pictures as rows of pixels, spectra): unnamed columns that
    start at one smallest value and of which at least a quarter reach one largest value. These are brought to 0..1
    together, which keeps their proportions; other columns are standardized one by one.
    """
    if wanted not in SCALINGS:
        raise ValueError(f"scaling came as {wanted!r}; it must be one of {', '.join(map(repr, SCALINGS))}.")
    low, high = float(facts.smallest.min()), float(facts.largest.max())
    if wanted == "auto":
        reach = facts.largest >= high - 0.01 * (high - low)
        start = facts.smallest <= low + 0.01 * (high - low)
        one_unit = not named and facts.mean.size >= 8 and start.mean() >= 0.75 and reach.mean() >= 0.25
        wanted = "unit" if one_unit and high > low else "standard"
    zero, one = np.zeros(()), np.ones(())
    if wanted in ("none", "center") and 0 < facts.deviation.max() < LEAST_UNSCALED:
        raise DataError(
            f"No cell deviates by more than {facts.deviation.max():.3g} from its mean, which is nothing in float32 "
            f"with scaling={wanted!r}. Use scaling='standard', or give the data in a larger unit."
        )
    if wanted == "none":
        return Scaling(zero, one, unit=low >= 0 and high <= 1)
    if wanted == "center":
        return Scaling(facts.mean, np.ones_like(facts.mean), unit=False)
    if wanted == "unit":
        return Scaling(np.array(low), np.array((high - low) or 1.0), unit=True)
    steady = facts.deviation <= 1e-12 * np.abs(facts.mean)
    return Scaling(facts.mean, np.where(steady, 1.0, facts.deviation), unit=False)

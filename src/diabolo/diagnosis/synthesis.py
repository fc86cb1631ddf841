"""Are generated rows like real ones, are they of use, and are they new?"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from ..data.choosing import open_data
from ..data.raw import Raw
from ..data.source import Source

FOLDS = 3
BINS = 20  # of a number beside a category
MOST_ROWS = 10_000  # for distances, and for each side of the two-sample test
MOST_CATEGORIES = 250  # that trees take as such


@dataclass(frozen=True)
class Likeness:
    """How like real rows some other rows are.

    Parameters
    ----------
    shapes : dict of column name to float
        1 less the Kolmogorov-Smirnov distance of a number, or the total variation of categories; 1 is right.
    trends : float
        Mean likeness of the pairs of columns: of correlations between numbers, of tables of counts else; 1 is right.
    auroc : float
        How well gradient-boosted trees tell these rows from held-out real ones; 0.5 is right, 1 is all too easy.
    closer : float
        Share of the rows that lie closer to a training row than to any of as many held-out rows; 0.5 is right, 1
        means copies.
    usefulness : dict of str to float
        F1 (mean over classes) and AUROC on held-out rows of trees trained on these rows; empty without a target.

    >>> Likeness({"age": 0.9, "sex": 1.0}, 0.8, 0.6, 0.5).shape
    0.95
    """

    shapes: dict[str, float]
    trends: float
    auroc: float
    closer: float
    usefulness: dict[str, float] = field(default_factory=dict)

    @property
    def shape(self) -> float:
        """The mean over columns."""
        return float(np.mean(list(self.shapes.values())))


@dataclass(frozen=True)
class Synthesis:
    """Generated rows between two bounds that were measured in the same run.

    Parameters
    ----------
    synthetic : Likeness
    independent : Likeness
        Of rows whose columns were drawn from the training rows, each on its own: what needs no model at all.
    copied : Likeness
        Of the training rows themselves: as like as can be, and nothing new.

    >>> like = Likeness({"age": 1.0}, 1.0, 0.5, 0.5)
    >>> print(Synthesis(like, like, like))
                         shapes       trends        AUROC       closer
    synthetic             1.000        1.000        0.500        0.500
    independent           1.000        1.000        0.500        0.500
    real copy             1.000        1.000        0.500        0.500
    """

    synthetic: Likeness
    independent: Likeness
    copied: Likeness

    def __str__(self) -> str:
        names = list(self.copied.usefulness)
        lines = [f"{'':14}" + "".join(f"{name:>13}" for name in ("shapes", "trends", "AUROC", "closer", *names))]
        sides = {"synthetic": self.synthetic, "independent": self.independent, "real copy": self.copied}
        for name, side in sides.items():
            useful = [side.usefulness.get(each, float("nan")) for each in names]
            numbers = [side.shape, side.trends, side.auroc, side.closer, *useful]
            lines.append(f"{name:14}" + "".join(f"{number:13.3f}" for number in numbers))
        return "\n".join(lines)


def synthesis_report(
    real_train: Any, real_holdout: Any, synthetic: Any, target: str | None = None, random_state: int = 0
) -> Synthesis:
    r"""Compare generated rows with real ones, between two bounds: independent columns, and a copy of the real rows.

    Shapes are :math:`1 - \sup_x |F(x) - G(x)|` for numbers and :math:`1 - \tfrac12\sum_v |p_v - q_v|` for categories.

    Parameters
    ----------
    real_train : frame
        What the generator was fitted on.
    real_holdout : frame
        Rows of the same kind that it never saw: what everything is compared with.
    synthetic : frame
        With the same columns.
    target : str, or None
        A column of categories to predict from the others: trained on each of the three, judged on held-out rows.
    random_state : int, default 0
        Of the folds, the independent columns, and of which rows are taken where there are more than 10,000.

    Returns
    -------
    Synthesis

    Raises
    ------
    ValueError
        If the columns differ, or there is no such target.

    References
    ----------
    Revisiting Classifier Two-Sample Tests, Lopez-Paz and Oquab, 2017, arXiv:1610.06545.
    Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs, Esteban, Hyland and Raetsch, 2017,
    arXiv:1706.02633 (train on synthetic, test on real).
    Generative models for tabular data: TabDDPM, Kotelnikov, Baranchuk, Rubachev and Babenko, 2023, arXiv:2209.15421
    (distance to the closest record).

    >>> from sklearn.datasets import load_iris
    >>> frame = load_iris(as_frame=True).frame.sample(frac=1, random_state=0)
    >>> report = synthesis_report(frame[:75], frame[75:], frame[:75])
    >>> report.synthetic.shape == report.copied.shape, report.synthetic.closer > 0.9, report.copied.trends > 0.9
    (True, True, True)
    """
    sources = [open_data(rows) for rows in (real_train, real_holdout, synthetic)]
    names = list(sources[0].names or ())
    for place, source in zip(("real_train", "real_holdout", "synthetic"), sources, strict=True):
        if not names or list(source.names or ()) != names:
            raise ValueError(f"The columns of {place} are {source.names}; real_train has {names}, and all need them.")
    if target is not None and target not in names:
        raise ValueError(f"No column is called {target!r}; there are {', '.join(map(repr, names))}.")
    (train, holdout, made), numeric = coded(sources)
    at = None if target is None else names.index(target)
    if at is not None and numeric[at]:
        raise ValueError(f"{target!r} holds numbers; the target is a column of categories.")
    random = np.random.default_rng(random_state)
    alone = np.stack([column[random.integers(len(column), size=len(column))] for column in train.T], axis=1)
    real = Real(train, holdout, numeric, names, at, random_state)
    return Synthesis(real.likeness(made), real.likeness(alone), real.likeness(train))


def coded(sources: list[Source]) -> tuple[list[np.ndarray], np.ndarray]:
    """Rows of numbers, categories as whole numbers that are the same in all, NaN where empty; which are numbers."""
    tables = [np.empty((source.rows, len(source.names or ()))) for source in sources]
    numeric = np.zeros(tables[0].shape[1], dtype=bool)
    for at in range(len(numeric)):
        raws = [source.column(at, 0, source.rows) for source in sources]
        kinds = {raw.kind for raw in raws if raw.known.any()}
        numeric[at] = kinds <= {"number", "moment"}
        for table, column in zip(tables, as_numbers(raws, bool(numeric[at])), strict=True):
            table[:, at] = column
    return tables, numeric


def as_numbers(raws: list[Raw], numeric: bool) -> list[np.ndarray]:
    """A column of several tables as floating numbers."""
    if numeric:
        present = [raw.present.astype(np.int64) if raw.kind == "moment" else raw.present for raw in raws]
    else:
        words = [np.array([str(value) for value in raw.present.tolist()], dtype=object) for raw in raws]
        known = {word: place for place, word in enumerate(sorted({word for each in words for word in each}))}
        present = [np.array([known[word] for word in each]) for each in words]
    made = []
    for raw, values in zip(raws, present, strict=True):
        column = np.full(len(raw.values), np.nan)
        column[raw.known] = values.astype(np.float64)
        made.append(column)
    return made


@dataclass(frozen=True)
class Real:
    """Coded real rows that others are measured against.

    Parameters
    ----------
    train, holdout : ndarray of shape (rows, columns)
    numeric : ndarray of bool of shape (columns,)
    names : list of str
    target : int, or None
    seed : int

    >>> rows = np.random.default_rng(0).normal(size=(60, 2))
    >>> real = Real(rows[:30], rows[30:], np.array([True, True]), ["a", "b"], None, 0)
    >>> real.likeness(rows[:30]).closer
    1.0
    """

    train: np.ndarray
    holdout: np.ndarray
    numeric: np.ndarray
    names: list[str]
    target: int | None
    seed: int

    def likeness(self, rows: np.ndarray) -> Likeness:
        """Measure some rows."""
        columns = range(len(self.names))
        shapes = {self.names[at]: self.shape_of(rows, at) for at in columns}
        pairs = [self.trend_of(rows, one, other) for one, other in combinations(columns, 2)]
        trends = float(np.mean(pairs)) if pairs else 1.0
        return Likeness(shapes, trends, self.told_apart(rows), self.closer(rows), self.usefulness(rows))

    def shape_of(self, rows: np.ndarray, at: int) -> float:
        """How alike a column is distributed: 1 is alike."""
        real, made = self.holdout[:, at], rows[:, at]
        if not self.numeric[at]:
            return 1 - variation(as_categories(real)[:, None], as_categories(made)[:, None])
        holes = abs(float(np.isnan(real).mean() - np.isnan(made).mean()))
        real, made = real[~np.isnan(real)], made[~np.isnan(made)]
        if not len(real) or not len(made):
            return 1 - holes
        return 1 - max(holes, float(ks_2samp(real, made, method="asymp").statistic))

    def trend_of(self, rows: np.ndarray, one: int, other: int) -> float:
        """How alike two columns go together: 1 is alike."""
        both = [one, other]
        if self.numeric[both].all():
            return 1 - abs(correlation(self.holdout[:, both]) - correlation(rows[:, both])) / 2
        return 1 - variation(*(np.stack([self.binned(side, at) for at in both], 1) for side in (self.holdout, rows)))

    def binned(self, rows: np.ndarray, at: int) -> np.ndarray:
        """A column as whole numbers: numbers in bins that hold about as many real rows each."""
        if not self.numeric[at]:
            return as_categories(rows[:, at])
        known = self.holdout[:, at][~np.isnan(self.holdout[:, at])]
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        edges = np.unique(np.quantile(known, inner)) if len(known) else np.zeros(0)
        return np.where(np.isnan(rows[:, at]), -1, np.searchsorted(edges, rows[:, at], side="right"))

    def trees(self, without: int | None = None) -> Any:
        """Gradient-boosted trees that take categories and empty cells as they are."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        highest = np.nanmax(np.concatenate([self.train, self.holdout]), axis=0, initial=0)
        chosen = ~self.numeric & (highest < MOST_CATEGORIES)
        if without is not None:
            chosen = np.delete(chosen, without)
        return HistGradientBoostingClassifier(categorical_features=chosen, random_state=self.seed)

    def told_apart(self, rows: np.ndarray) -> float:
        """The area under the curve of trees that tell rows from held-out ones, on folds they were not trained on."""
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        count = min(len(rows), len(self.holdout), MOST_ROWS)
        if count < FOLDS:
            return float("nan")
        both = np.concatenate([few(rows, count, self.seed), few(self.holdout, count, self.seed)])
        truth = np.repeat([1, 0], count)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        said = cross_val_predict(self.trees(), both, truth, cv=folds, method="predict_proba")[:, 1]
        return float(roc_auc_score(truth, said))

    def usefulness(self, rows: np.ndarray) -> dict[str, float]:
        """F1 and AUROC on held-out rows of trees trained on other rows."""
        from sklearn.metrics import f1_score, roc_auc_score

        if self.target is None:
            return {}
        at = self.target
        rows, real = (side[~np.isnan(side[:, at])] for side in (rows, self.holdout))
        if len(np.unique(rows[:, at])) < 2:
            return {"F1": float("nan"), "target AUROC": float("nan")}
        model = self.trees(without=at).fit(np.delete(rows, at, 1), rows[:, at])
        chances = model.predict_proba(np.delete(real, at, 1))
        f1 = float(f1_score(real[:, at], model.classes_[chances.argmax(1)], average="macro"))
        if not np.array_equal(np.unique(real[:, at]), model.classes_):
            return {"F1": f1, "target AUROC": float("nan")}
        judged = chances[:, 1] if len(model.classes_) == 2 else chances
        return {"F1": f1, "target AUROC": float(roc_auc_score(real[:, at], judged, multi_class="ovr"))}

    def closer(self, rows: np.ndarray) -> float:
        """The share of rows nearer to a training row than to any of as many held-out ones; ties count half."""
        from sklearn.neighbors import NearestNeighbors

        count = min(len(self.train), len(self.holdout), MOST_ROWS)
        asked = self.points(few(rows, count, self.seed))
        away = [
            NearestNeighbors(n_neighbors=1, metric="manhattan")
            .fit(self.points(few(side, count, self.seed)))
            .kneighbors(asked)[0][:, 0]
            for side in (self.train, self.holdout)
        ]
        return float((away[0] < away[1]).mean() + (away[0] == away[1]).mean() / 2)

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Rows as points: numbers in deviations, and a distance of 1 between two categories."""
        parts = []
        for at, numeric in enumerate(self.numeric):
            column = rows[:, at]
            if not numeric:
                most = int(np.nanmax(np.concatenate([self.train[:, at], self.holdout[:, at], column]), initial=0))
                parts.append(0.5 * (as_categories(column)[:, None] == np.arange(-1, most + 1)))
                continue
            known = self.train[:, at][~np.isnan(self.train[:, at])]
            middle, scale = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
            filled = (np.where(np.isnan(column), middle, column) - middle) / (scale or 1.0)
            parts.append(np.stack([filled, np.isnan(column).astype(np.float64)], axis=1))
        return np.concatenate(parts, axis=1)


def as_categories(column: np.ndarray) -> np.ndarray:
    """Whole numbers of categories; -1 where the cell is empty."""
    return np.where(np.isnan(column), -1, column).astype(np.int64)


def variation(real: np.ndarray, made: np.ndarray) -> float:
    """The total variation between how often different rows come."""
    found, places = np.unique(np.concatenate([real, made]), axis=0, return_inverse=True)
    there, here = (
        np.bincount(part, minlength=len(found)) / max(1, len(part)) for part in np.split(places.ravel(), [len(real)])
    )
    return float(np.abs(there - here).sum() / 2)


def correlation(pair: np.ndarray) -> float:
    """Pearson's, over rows in which both are known; 0 where one of them never changes."""
    both = pair[~np.isnan(pair).any(1)]
    if len(both) < 2 or (both.std(0) < 1e-12).any():
        return 0.0
    return float(np.corrcoef(both.T)[0, 1])


def few(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many rows, by chance: of the same rows always the same."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]


__all__ = ["Likeness", "Synthesis", "synthesis_report"]

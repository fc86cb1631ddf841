"""Filling the holes of data, and saying how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ..core.codes import Code
from ..core.roundtrip import Batch
from ..data.choosing import open_data
from ..data.memory import is_frame
from ..data.scaling import stretches
from ..data.source import Source
from ..data.tables import INFER, Table
from ..estimators.base import Estimator
from ..estimators.planning import rows_held_out
from ..estimators.storage import Task
from ..estimators.tabular import TabularMaskedAutoencoder
from ..training.seeding import mix, seed_from
from .holes import Chosen, fill_column, fill_frame, holes_of

NUMBERS = ("continuous", "integer", "count")
ROWS_TO_CALIBRATE = 2048
ROUNDS = 4  # how often cells are hidden anew to measure errors
LEAST_HIDDEN = 0.2  # of the known cells; where fewer are missing than that, intervals are rather too wide
DRAWS_TO_CALIBRATE = 4
KNOTS = 1001  # quantiles kept of the errors
Block = dict[str, np.ndarray] | np.ndarray
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
HIDING, DRAWING = 0x41D1, 0xD2A3  # positions of their own among the seeds


class Imputer(Task, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Fills holes: :math:`\hat x_j = E[x_j \mid x_{\text{known}}]` where :math:`x_j` is missing, else :math:`x_j`.

    Frames and arrays come back as what they were: the same kind, names, order, index and dtypes. Cells that were known
    are taken from the data itself, never from the network. Numbers are filled by their mean, within the range and
    with the decimals that the column has; everything else by its likeliest value. A column that held nothing at all
    when it was fitted stays empty.

    How far off the model is gets measured after the fit, on cells that are hidden for that purpose, in rows that were
    held out where the estimator held some out: :math:`s_j^2` is the mean square of column :math:`j`'s errors. Draws
    add a Gaussian of that variance (less what draws of the code explain already), categories are drawn by their
    probability. Intervals reach as far as the errors of all columns, in units of their :math:`s_j`, did.

    Parameters
    ----------
    estimator : Estimator, FrozenEstimator, or None
        Any autoencoder of this library; a clone is fitted. A fitted one in scikit-learn's ``FrozenEstimator`` is used
        as it is, and ``fit`` only measures its errors. ``None``: a
        :class:`~diabolo.TabularMaskedAutoencoder`, which learns to predict each column from any others.
    random_state : int, numpy generator, or None
        Seed of the fit, and of the cells that are hidden to measure errors; where given it also is the estimator's.

    Attributes
    ----------
    estimator_ : Estimator
        Fitted.
    deviations_ : ndarray of shape (cells,)
        The root mean square error of each of the network's cells, in its units; the usual one where no cell of a
        column could be hidden.
    spread_ : ndarray of shape (cells,)
        The part of it that draws of the code make; 0 where codes are not distributions.
    errors_ : ndarray of shape (1001,), or fewer
        The measured errors in units of their cell's deviation, absolute and sorted; of many, their quantiles.

    References
    ----------
    ReMasker: Imputing Tabular Data with Masked Autoencoding, Du, Melis and Wang, 2023, arXiv:2309.13793.
    MIWAE: Deep Generative Modelling and Imputation of Incomplete Data, Mattei and Frellsen, 2018, arXiv:1812.02633.
    Distribution-Free Predictive Inference For Regression, Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2016,
    arXiv:1604.04173 (intervals from the errors of held-out cells).

    >>> import pandas as pd
    >>> from diabolo import VAE, Imputer
    >>> frame = pd.DataFrame({"age": [30, None, 50, 40], "city": ["A", "B", None, "A"]}, index=list("abcd"))
    >>> imputer = Imputer(VAE(code_size=1, epochs=2), random_state=0).fit(frame)
    >>> whole = imputer.transform(frame)
    >>> int(whole.isna().sum().sum()), whole.index.tolist(), whole["city"].dtype == frame["city"].dtype
    (0, ['a', 'b', 'c', 'd'], True)

    It is saved with its errors, so that draws and intervals need no data anew:

    >>> import os, tempfile
    >>> from diabolo import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     imputer.save(os.path.join(folder, "imputer.safetensors"))
    ...     again = load(os.path.join(folder, "imputer.safetensors"))
    >>> again.transform(frame).equals(whole)
    True
    """

    def __init__(self, estimator: Any = None, *, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a clone of the estimator, and measure its errors on cells that are hidden for that.

        Parameters
        ----------
        X : array, frame, path or name of an example set
            NaN, None and their like are holes.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        DataError, ShapeError
            If the data cannot be used; the message names the place.
        """
        X = self._checked(X, reset=True)
        self.seed_ = seed = seed_from(self.random_state)
        if isinstance(self.estimator, FrozenEstimator):
            self.estimator_ = self.estimator.estimator
        else:
            chosen = default_estimator(X) if self.estimator is None else clone(self.estimator)
            if not isinstance(chosen, Estimator):
                raise TypeError(
                    f"estimator came as {self.estimator!r}; it must be an autoencoder of this library, such as VAE(), "
                    "a fitted one in FrozenEstimator, or None."
                )
            if self.random_state is not None:
                chosen.set_params(random_state=seed)
            self.estimator_ = chosen.fit(X)
        if isinstance(X, (str, Source)):
            self._know_features_of(self.estimator_)
        self._measure(open_data(X), mix(seed, HIDING))
        return self

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """The user's data with scikit-learn's checks and bookkeeping."""
        if isinstance(X, (str, Source)) or (isinstance(X, np.ndarray) and X.ndim > 2):
            return X
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")

    def _measure(self, source: Source, seed: int) -> None:
        """How far predictions of hidden cells are off, cell by cell."""
        rows = self._rows_to_measure(source)
        part = Chosen(source, rows)
        truth = self._read(part)
        known = torch.ones_like(truth.values, dtype=torch.bool) if truth.known is None else truth.known
        share = max(LEAST_HIDDEN, min(0.5, holes_of(part).mean()))
        generator = np.random.default_rng(seed)
        squares, spread, count = (torch.zeros(known[0].numel(), dtype=torch.float64) for _ in range(3))
        errors, where = [], []
        for turn in range(ROUNDS):
            hidden = generator.random((part.rows, *part.shape)) < share
            punched = Chosen(source, rows, hidden)
            gone = (known & ~self._known(punched)).flatten(1)
            off = (self._expected(punched) - truth.values).double().flatten(1)
            squares, count = squares + (off.square() * gone).sum(0), count + gone.sum(0)
            if self._codes_vary(punched):
                drawn = torch.stack(list(self._drawn(punched, DRAWS_TO_CALIBRATE, mix(seed, turn))))
                spread = spread + (drawn.double().flatten(2).var(0) * gone).sum(0)
            row, cell = gone.nonzero(as_tuple=True)
            errors.append(off[row, cell])
            where.append(cell)
        numbers = torch.from_numpy(self._numeric_cells())
        variance = torch.where(count > 0, squares / count.clamp_min(1), torch.nan)
        cell = torch.cat(where)
        scaled = torch.cat(errors).abs() / variance[cell].sqrt().clamp_min(1e-12)
        usual = variance[numbers].nanmean().nan_to_num(1.0)  # for columns of which no cell could be hidden
        self.deviations_ = torch.where(variance.isnan(), usual, variance).sqrt().numpy()
        self.spread_ = torch.minimum(spread / count.clamp_min(1), variance.nan_to_num()).sqrt().numpy()
        found = np.sort(scaled[numbers[cell]].numpy())
        self.errors_ = found if len(found) <= KNOTS else np.quantile(found, np.linspace(0.0, 1.0, KNOTS))

    def _rows_to_measure(self, source: Source) -> np.ndarray:
        """Rows that the fit held out, where there are some and these may be its data, else any."""
        model, rows = self.estimator_, np.arange(source.rows)
        if "validation_loss" in model.history_.columns and source.rows == model.modality_.facts.get("rows"):
            held_out = rows_held_out(source, model.validation, model.seed_).numpy()
            rows = held_out if len(held_out) else rows
        return rows[: stretches(source)[0][1]][:ROWS_TO_CALIBRATE]

    # Filling

    def transform(self, X: Any) -> Any:
        """Fill the holes; never trains, never draws.

        Parameters
        ----------
        X : data of the kind that was fitted

        Returns
        -------
        The same kind, whole.
        """
        check_is_fitted(self, "estimator_")
        X = self._checked(X, reset=False)
        return self._filled(X, self._expected(X))

    def draw(self, X: Any, n_draws: int = 5, random_state: Any = None) -> Iterator[Any]:
        """Multiple imputations: the holes filled anew each time, by chance, as the model thinks them likely.

        Parameters
        ----------
        X : data of the kind that was fitted
        n_draws : int, default 5
            How many. Five tell how much a result depends on the holes.
        random_state : int, numpy generator, or None
            Seed of the draws.

        Returns
        -------
        iterator of the same kind, whole

        References
        ----------
        Multiple Imputation After 18+ Years, Rubin, 1996, doi:10.1080/01621459.1996.10476908.

        >>> import numpy as np
        >>> from diabolo import VAE
        >>> X = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0], [3.0, 4.0]])
        >>> imputer = Imputer(VAE(code_size=1, epochs=2), random_state=0).fit(X)
        >>> len({float(whole[1, 1]) for whole in imputer.draw(X, 3, random_state=0)})
        3
        """
        check_is_fitted(self, "estimator_")
        if isinstance(n_draws, bool) or not isinstance(n_draws, (int, np.integer)) or n_draws < 1:
            raise ValueError(f"n_draws came as {n_draws!r}; it must be a whole number of at least 1.")
        return self._draws(self._checked(X, reset=False), int(n_draws), seed_from(random_state))

    def _draws(self, X: Any, n_draws: int, seed: int) -> Iterator[Any]:
        """The user's data whole, several times."""
        for turn, cells in enumerate(self._drawn(X, n_draws, seed)):
            generator = np.random.default_rng(mix(seed, DRAWING, turn))
            yield self._filled(X, self._noisy(cells, generator), generator)

    def fill_source(self, source: Source, seed: int | None = None) -> tuple[Block, int]:
        """Fill the holes of rows from anywhere: columns by name where they have names, else an array.

        Parameters
        ----------
        source : Source
        seed : int, or None
            Of a draw; ``None``: means and likeliest values.

        Returns
        -------
        block : dict of name to ndarray, or ndarray
        left : int
            Holes that stay, in columns that held nothing when they were fitted.
        """
        check_is_fitted(self, "estimator_")
        generator = None if seed is None else np.random.default_rng(mix(seed, DRAWING))
        cells = self._expected(source) if seed is None else next(self._drawn(source, 1, seed))
        cells = cells if generator is None else self._noisy(cells, generator)
        modality = self.estimator_.modality_
        if not isinstance(modality, Table):
            return self._filled_array(source, cells, generator), 0
        made, left = {}, 0
        for at, (name, filled) in enumerate(modality.decoded(cells, generator).items()):
            raw = source.column(at, 0, source.rows)
            empty = bool(modality.columns) and modality.columns[at].kind == "empty"
            made[name] = np.full(source.rows, None, dtype=object) if empty else fill_column(raw, filled)
            left += int((~raw.known).sum()) if empty else 0
        return made, left

    def _noisy(self, cells: Tensor, generator: np.random.Generator) -> Tensor:
        """Cells of numbers with the noise that draws of the code do not hold already."""
        variance = np.nan_to_num(self.deviations_**2 - self.spread_**2).clip(min=0.0) * self._numeric_cells(any_of=True)
        noise = generator.normal(size=(len(cells), variance.size)) * np.sqrt(variance)
        return cells + torch.from_numpy(noise).to(cells).view_as(cells)

    def intervals(self, X: Any, coverage: float = 0.9) -> tuple[Any, Any]:
        r"""Between which numbers a hole's value lies with a probability: :math:`\hat x_j \pm q\,s_j`.

        Parameters
        ----------
        X : data of the kind that was fitted
        coverage : float between 0 and 1, default 0.9

        Returns
        -------
        lower, upper : the same kind
            Columns of numbers only. What is known is its own bound.

        >>> import numpy as np
        >>> from diabolo import VAE
        >>> X = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0], [3.0, 4.0]])
        >>> lower, upper = Imputer(VAE(code_size=1, epochs=2), random_state=0).fit(X).intervals(X)
        >>> bool(lower[1, 1] < upper[1, 1]), bool((lower == upper).sum() == 7)
        (True, True)
        """
        check_is_fitted(self, "estimator_")
        if not 0 < coverage < 1:
            raise ValueError(f"coverage came as {coverage!r}; it must be a number above 0 and below 1.")
        X = self._checked(X, reset=False)
        cells = self._expected(X)
        columns = self._numeric_columns()
        low, high = (self._filled(X, self._bound(cells, coverage, side), only=columns) for side in (-1, 1))
        return low, high

    def _bound(self, cells: Tensor, coverage: float, side: int) -> Tensor:
        """Cells moved to one end of the interval; steps of an order, to one end of what is likely."""
        reach = float(np.quantile(self.errors_, coverage)) if len(self.errors_) else 0.0
        moved = np.nan_to_num(side * reach * self.deviations_) * self._numeric_cells()
        bound = cells + torch.from_numpy(moved).to(cells).view(cells.shape[1:])
        modality = self.estimator_.modality_
        if isinstance(modality, Table) and modality.columns:
            tail, start = (1 - coverage) / 2, 0
            for column in modality.columns:
                if column.kind == "ordinal":
                    here = slice(start, start + column.own_width)
                    bound[:, here] = (cells[:, here] > (tail if side > 0 else 1 - tail)).to(cells)
                start += column.width
        return bound

    def calibration(
        self, X: Any, levels: Sequence[float] = LEVELS, *, share: float = 0.2, random_state: Any = 0
    ) -> list[tuple[float, float]]:
        """Whether intervals hold what they promise: how many hidden numbers lie inside, for several coverages.

        Some known cells of ``X`` are hidden, predicted from the others, and compared. Give rows that were not fitted.

        Parameters
        ----------
        X : data of the kind that was fitted
        levels : sequence of float
            The promised coverages.
        share : float, default 0.2
            Of the known cells that are hidden.
        random_state : int, numpy generator, or None
            Which ones.

        Returns
        -------
        list of (promised, found)
            NaN where there was nothing to hide. On a plot the points should lie on the diagonal.

        >>> import numpy as np
        >>> from diabolo import VAE
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> Imputer(VAE(code_size=1, epochs=2), random_state=0).fit(X).calibration(X, [0.0, 1.0])
        [(0.0, 0.0), (1.0, 1.0)]
        """
        check_is_fitted(self, "estimator_")
        source = open_data(self._checked(X, reset=False))
        rows = np.arange(source.rows)
        hidden = np.random.default_rng(seed_from(random_state)).random((source.rows, *source.shape)) < share
        truth, punched = self._read(Chosen(source, rows)), Chosen(source, rows, hidden)
        known = torch.ones_like(truth.values, dtype=torch.bool) if truth.known is None else truth.known
        judged = (known & ~self._known(punched)).flatten(1).numpy() & self._numeric_cells()
        off = (self._expected(punched) - truth.values).abs().double().flatten(1).numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = (off / np.maximum(self.deviations_, 1e-12))[judged]
        scaled = scaled[np.isfinite(scaled)]
        if not len(scaled) or not len(self.errors_):
            return [(float(level), float("nan")) for level in levels]
        reach = [np.inf if level >= 1 else np.quantile(self.errors_, level) * (level > 0) for level in levels]
        return [(float(level), float((scaled <= at).mean())) for level, at in zip(levels, reach, strict=True)]

    # What the model says

    def _expected(self, X: Any) -> Tensor:
        """What the model expects of the cells that are missing: ``(rows, *shape)``; of others, whatever is cheapest."""
        model = self.estimator_
        return torch.cat([model.expected(trip).cpu() for trip in model.round_trips(X, only_holes=True)])

    def _drawn(self, X: Any, n_draws: int, seed: int) -> Iterator[Tensor]:
        """What it expects with codes drawn by chance, several times."""
        model = self.estimator_
        for turn in range(n_draws):
            trips = model.round_trips(X, n_draws=1, random_state=mix(seed, turn), only_holes=True)
            yield torch.cat([model.expected(trip).cpu() for trip in trips])

    def _codes_vary(self, X: Any) -> bool:
        """Whether codes are distributions, so that draws of them differ."""
        return type(next(self.estimator_.round_trips(X, only_holes=True)).code).sample is not Code.sample

    def _read(self, source: Source) -> Batch:
        """Rows in the network's units."""
        return self.estimator_.modality_.read_all(self.estimator_.modality_.aligned(source))

    def _known(self, source: Source) -> Tensor:
        """Which cells are there."""
        batch = self._read(source)
        return torch.ones_like(batch.values, dtype=torch.bool) if batch.known is None else batch.known

    def _numeric_columns(self) -> list[int]:
        """Which of the user's columns hold numbers; all of an array."""
        modality = self.estimator_.modality_
        columns = modality.columns if isinstance(modality, Table) else []
        if not columns:
            return list(range(self.estimator_.n_features_in_))
        ordinal = [c.kind == "ordinal" and all(isinstance(v, (int, float)) for v in c.levels) for c in columns]  # type: ignore[attr-defined]
        return [at for at, column in enumerate(columns) if column.kind in NUMBERS or ordinal[at]]

    def _numeric_cells(self, any_of: bool = False) -> np.ndarray:
        """Which of the network's cells are Gaussian: those of numbers; with ``any_of``, of dates too."""
        modality = self.estimator_.modality_
        columns = modality.columns if isinstance(modality, Table) else []
        if not columns:
            return np.ones(int(np.prod(modality.shape)), dtype=bool)
        made = [
            name == "gaussian" and (any_of or column.kind in NUMBERS) and column.kind != "empty"
            for column in columns
            for name, width in column.blocks
            for _ in range(width)
        ]
        return np.array(made, dtype=bool)

    # Back to what the user gave

    def _filled(
        self,
        X: Any,
        cells: Tensor,
        draw: np.random.Generator | None = None,
        only: list[int] | None = None,
    ) -> Any:
        """The user's own data with its holes filled by what cells say."""
        modality = self.estimator_.modality_
        source = open_data(X)
        if not is_frame(X):
            return self._filled_array(source, cells, draw)
        holes = holes_of(source)
        if isinstance(modality, Table):
            made = modality.framed(modality.decoded(cells, draw), X)
            if modality.columns:
                holes = holes & np.array([column.kind != "empty" for column in modality.columns])
        else:
            made = modality.write(cells)
        return fill_frame(X, made, holes, only)

    def _filled_array(self, source: Source, cells: Tensor, draw: np.random.Generator | None) -> np.ndarray:
        """An array with its holes filled."""
        modality = self.estimator_.modality_
        if isinstance(modality, Table):
            made = np.stack([column.astype(np.float64) for column in modality.decoded(cells, draw).values()], axis=1)
        else:
            made = np.asarray(modality.write(cells))
        whole = np.array(source.read(0, source.rows))
        holes = holes_of(source)
        whole[holes] = made.reshape(whole.shape)[holes].astype(whole.dtype)
        return whole

    # Storage

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model file holds beside the autoencoder: the measured errors."""
        check_is_fitted(self, "errors_")
        given = "standard" if self.estimator is None else "given"
        given = "frozen" if isinstance(self.estimator, FrozenEstimator) else given
        arrays = {"deviations": self.deviations_, "spread": self.spread_, "errors": self.errors_}
        return {"estimator": given, "seed": self.seed_}, arrays

    @classmethod
    def restore(cls, estimator: Estimator, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`describe`."""
        given: Any = None
        if plain["estimator"] != "standard":
            given = FrozenEstimator(estimator) if plain["estimator"] == "frozen" else clone(estimator)
        made = cls(given, random_state=int(plain["seed"]))
        made.estimator_, made.seed_ = estimator, int(plain["seed"])
        made.deviations_, made.spread_, made.errors_ = (arrays[name] for name in ("deviations", "spread", "errors"))
        made._know_features_of(estimator)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def default_estimator(X: Any) -> Estimator:
    """The estimator where the user names none: one that looks at the kinds of a frame's columns."""
    return TabularMaskedAutoencoder(column_types=INFER if is_frame(X) else None)


__all__ = ["Imputer"]

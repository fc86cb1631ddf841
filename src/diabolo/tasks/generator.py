"""New rows like those that came: codes drawn from where codes lie, decoded by chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..architectures import MLP
from ..core.codes import Code, DiscreteCode, GaussianCode
from ..core.parts import as_part, check_field, from_plain, parameters, to_plain
from ..core.roundtrip import RoundTrip
from ..data.choosing import open_data
from ..data.modality import Modality
from ..data.moments import Moment
from ..data.numbers import Number
from ..data.raw import Raw
from ..data.tables import INFER, Table
from ..estimators import VAE, Estimator
from ..estimators.storage import Task
from ..losses import ColumnLikelihood
from ..training.seeding import mix, seed_from
from .conditions import Condition, categories, read_conditions
from .critic import Critic, train_critic
from .density import Density
from .marginals import Marginals, hole_cells, numbers_of, shift_of_shares

Rows = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # columns, and which of their cells are empty

GENERATED = 3  # generated rows beside each real one, for a critic to learn from
REFERENCE_ROWS = 10_000  # generated at fit, to see how the generated columns lie beside the real ones
TOGETHER = 4096
NUMBERS_TOGETHER = 1 << 23
TRIES_PER_ROW, FEWEST_TRIES = 5000, 1_000_000
MOST_CODES = 50_000  # that a density is fitted to
SMALLEST_DEVIATION = 1e-4
STANDARD: dict[str, Any] = {"code_size": 32, "beta": 0.1, "architecture": MLP((128, 128))}
"""What a generator fits if no estimator is given: a VAE with these parameters, for :func:`enough_epochs`."""
STEPS, ROWS_PER_STEP = 4000, 256
FEWEST_EPOCHS, MOST_EPOCHS = 20, 300


@parameters
class Generator(Task, BaseEstimator):
    r"""Makes rows that never were: :math:`z \sim p(z)` fitted to the codes, then :math:`x \sim p(x \mid z)`.

    The density :math:`p(z)` is fitted after training, to codes drawn from :math:`q(z \mid x)`. In tables, categories
    and truths are drawn by their probability, numbers from their Gaussian; then each column's distribution is brought
    to that of the training data: numbers by rank, categories by a factor on their chances. What comes is of the
    user's own kind: names, dtypes, categories, bounds, decimals; a column of numbers that repeats few values holds no
    other ones. Pictures, sequences and data of one unit are the decoder's mean.

    Parameters
    ----------
    estimator : Estimator, FrozenEstimator, or None
        Any autoencoder whose codes are numbers; it is cloned. A fitted one is given as
        ``FrozenEstimator(model)``. ``None``: a VAE whose price of a nat is a tenth, so that codes tell nearly all,
        with two layers of 128, a code of 32 and 20 to 300 epochs, for about 4,000 steps.
    density : Density or str, default "mixture"
        Where codes lie: Gaussians with full covariances, as many as held-out codes ask for.
    refine : bool, default True
        Draw rows that look generated less often, as a small network says that learns to tell them from real ones
        (:class:`~diabolo.tasks.critic.Critic`). For rows of numbers and categories. On Adult it brought what trees
        tell real from generated rows by from an AUROC of .71 to .67, for half as long a fit again.
    holes : bool, default True
        Leave cells empty as often as the training data does; False fills all.
    random_state : int, numpy generator, or None
        Of the training; a number makes ``fit`` repeatable.

    Attributes
    ----------
    estimator_ : Estimator
        The fitted autoencoder.
    density_ : Density
        The fitted density of its codes.
    marginals_ : Marginals
        How each column of generated rows lies beside that of the training data.
    critic_ : Critic or None
        What refines; ``None`` where nothing tells generated rows from real ones, and for pictures.

    Raises
    ------
    ValueError
        If the codes are symbols, or a condition is impossible.

    References
    ----------
    From Variational to Deterministic Autoencoders, Ghosh, Sajjadi, Vergari, Black and Schoelkopf, 2020,
    arXiv:1903.12436.
    Pythae: Unifying Generative Autoencoders in Python, Chadebec, Vincent and Allassonniere, 2022, arXiv:2206.08309.
    Modeling Tabular Data using Conditional GAN, Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, 2019,
    arXiv:1907.00503 (TVAE).

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 30, 40, 50] * 20, "sex": ["F", "F", "M", "M"] * 20})
    >>> generator = Generator(VAE(code_size=2, epochs=5), random_state=0).fit(frame)
    >>> generator.sample(3, random_state=0).shape, set(generator.sample(9, given={"sex": "F"}).sex)
    ((3, 2), {'F'})
    """

    estimator: Any = None
    density: Density | str = "mixture"
    refine: bool = True
    holes: bool = True
    random_state: Any = None

    estimator_: Estimator = dataclasses.field(init=False)
    density_: Density = dataclasses.field(init=False)
    marginals_: Marginals = dataclasses.field(init=False)
    critic_: Critic | None = dataclasses.field(init=False)

    __repr__ = BaseEstimator.__repr__

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder, then learn where its codes lie and how its columns differ from the real ones.

        Parameters
        ----------
        X : data of any kind that the estimator takes
        y : ignored

        Returns
        -------
        self
        """
        for field in (field for field in dataclasses.fields(self) if field.init):
            check_field("Generator", field, getattr(self, field.name))
        density = as_part(Density, self.density).check()
        self.seed_ = seed_from(self.random_state)
        self.estimator_ = model = self._trained(X)
        self.n_features_in_ = model.n_features_in_
        if hasattr(model, "feature_names_in_"):
            self.feature_names_in_ = model.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.marginals_ = Marginals(numbers_of(model))
        random = np.random.default_rng(mix(self.seed_, 2))
        codes, spreads, real, self.marginals_.deviations = self._measure(X, random)
        self.density_ = density.fit(codes, spreads, mix(self.seed_, 3))
        self.critic_ = None
        if len(real):
            self._calibrate(real, random)
        if len(real) and self.refine:
            made = [self._lot(len(rows), random)[0] for rows in self._stretches(GENERATED * len(real))]
            self.critic_ = train_critic(np.nan_to_num(real, nan=0.0), np.concatenate(made), mix(self.seed_, 4))
        return self

    def _measure(self, X: Any, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Codes, how far around them, and cells of some rows, and how far off numbers come back in all of them.

        Of pictures and the like there are no cells: they are not drawn from a likelihood.
        """
        model, rows, numbers = self.estimator_, open_data(X).rows, self.marginals_.numbers
        chosen = np.zeros(rows, dtype=bool)
        chosen[random.permutation(rows)[:MOST_CODES]] = True
        codes, spreads, cells, start = [], [], [], 0
        squares, counts = torch.zeros(len(numbers)).double(), torch.zeros(len(numbers)).double()
        drawn = bool(len(numbers)) or isinstance(model.objective_.loss, ColumnLikelihood)
        for trip in model.round_trips(X, n_draws=1, random_state=mix(self.seed_, 1)):
            refuse_symbols(model, trip)
            here = chosen[start : start + len(trip.target)]
            start += len(trip.target)
            mean, deviation = mean_and_deviation(trip.code)
            codes.append(mean[here])
            spreads.append(deviation[here])
            if drawn:
                there = known_cells(trip)
                off = (model.expected(trip) - trip.target).square() * there
                squares += off[:, numbers].double().sum(0).cpu()
                counts += there[:, numbers].double().sum(0).cpu()
                cells.append(torch.where(there, trip.target, torch.nan).cpu().numpy()[here])
        deviations = np.maximum((squares / counts.clamp_min(1)).sqrt().numpy(), SMALLEST_DEVIATION)
        real = np.concatenate(cells) if cells else np.zeros((0, 0))
        return np.concatenate(codes), np.concatenate(spreads), real, deviations

    def _trained(self, X: Any) -> Estimator:
        """The autoencoder, fitted: a clone of the one given, or that one itself if it is frozen."""
        if isinstance(self.estimator, FrozenEstimator):
            frozen: Estimator = self.estimator.estimator
            check_is_fitted(frozen, "network_")
            return frozen
        if self.estimator is not None and not isinstance(self.estimator, Estimator):
            raise TypeError(f"Generator: estimator came as {self.estimator!r}; give an autoencoder, such as VAE().")
        model: Estimator = standard(open_data(X).rows) if self.estimator is None else clone(self.estimator)
        if model.random_state is None or self.estimator is None:
            model.set_params(random_state=mix(self.seed_, 0))
        if model.column_types is None and model.loss is None and is_frame(X):
            model.set_params(column_types=INFER)
        return model.fit(X)

    def _calibrate(self, cells: np.ndarray, random: np.random.Generator) -> None:
        """Learn how generated cells lie beside real ones, from some that are generated for that."""
        codes = self.density_.draw(REFERENCE_ROWS, random)
        outputs = torch.cat([self._output(codes[at]) for at in self._stretches(len(codes))])
        empty = hole_cells(self.estimator_, outputs.shape[1])
        self.marginals_.shift = shift_of_shares(outputs, cells, empty, self.estimator_.objective_.loss, self._mean)
        self.marginals_.compare(self._drawn(outputs, random), cells, empty, random)

    # Drawing

    def sample(
        self,
        n_samples: int = 1,
        given: Mapping[str, Any] | None = None,
        balanced: str | None = None,
        random_state: Any = None,
    ) -> Any:
        """Make new rows.

        Parameters
        ----------
        n_samples : int, default 1
        given : dict of column name to what it must hold, or None
            A value, a list of values, or ``(low, high)`` for numbers and dates, both ends included, ``None`` for an
            open end. Every row fulfils all of it. Rows are drawn until enough of them do, and those that do not are
            seen by the columns asked for alone: of Adult about 100,000 a second.
        balanced : str, or None
            A column of categories; each of its values comes equally often.
        random_state : int, numpy generator, or None
            Seed of the draws: the same number gives the same rows.

        Returns
        -------
        Data of the user's own kind, ``n_samples`` rows.

        Raises
        ------
        ValueError
            If a column or category is unknown, a range lies outside the data, or too few rows fulfil a condition.
        """
        modality = self._checked(n_samples)
        if isinstance(modality, Table):
            columns, holes = self.sample_columns(n_samples, given, balanced, random_state)
            return modality.framed(columns, holes=holes)
        if given or balanced:
            raise ValueError("given and balanced need columns with names: fit on a frame.")
        random = np.random.default_rng(seed_from(random_state))
        count, parts, found = int(n_samples), [], 0
        while found < count:
            for rows in self._stretches(count - found):
                cells = self._cells(len(rows), random)
                kept = cells if self.critic_ is None else cells[self.critic_.keeps(cells, random)]
                parts.append(kept)
                found += len(kept)
        return modality.write(torch.from_numpy(np.concatenate(parts)[:count]))

    def sample_columns(
        self,
        n_samples: int = 1,
        given: Mapping[str, Any] | None = None,
        balanced: str | None = None,
        random_state: Any = None,
    ) -> Rows:
        """What :meth:`sample` makes of a table, before it is a frame: columns, and which of their cells are empty."""
        table = self._checked(n_samples)
        if not isinstance(table, Table):
            raise ValueError("Only tables have columns; use sample().")
        random = np.random.default_rng(seed_from(random_state))
        conditions = read_conditions(given or {}, table)
        if balanced is None:
            return self._accepted(int(n_samples), conditions, random)
        return self._balanced(int(n_samples), conditions, balanced, random)

    def _checked(self, n_samples: int) -> Modality:
        """How to write rows, where there is something to draw them from and their number is one."""
        check_is_fitted(self, "density_")
        if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples came as {n_samples!r}; it must be a whole number of at least 1.")
        return self.estimator_.modality_

    def _balanced(self, count: int, conditions: list[Condition], balanced: str, random: np.random.Generator) -> Rows:
        """As many rows of each category of a column, in a random order."""
        table = self.estimator_.modality_
        assert isinstance(table, Table)
        if any(condition.name == balanced for condition in conditions):
            raise ValueError(f"{balanced!r} cannot be both given and balanced.")
        values = categories(balanced, table)
        parts = []
        for place, value in enumerate(values):
            wanted = count // len(values) + (place < count % len(values))
            if wanted:
                more = read_conditions({balanced: value}, table)
                parts.append(self._accepted(wanted, [*conditions, *more], random))
        order = random.permutation(count)
        columns, holes = joined(parts)
        return {name: of[order] for name, of in columns.items()}, {name: of[order] for name, of in holes.items()}

    def _accepted(self, count: int, conditions: list[Condition], random: np.random.Generator) -> Rows:
        """Columns and holes of rows that fulfil all conditions: drawn and rejected until there are enough."""
        table = self.estimator_.modality_
        assert isinstance(table, Table)
        limit = max(FEWEST_TRIES, TRIES_PER_ROW * count)
        sure = not conditions and self.critic_ is None
        kept: list[Rows] = []
        found, tried = 0, 0
        while found < count and tried < limit:
            rate = max(found, 1) / tried if tried else 1.0 if sure else 0.5
            together = min(max(TOGETHER, int(1.1 * (count - found) / rate)), 16 * TOGETHER)
            for stretch in self._stretches(count - found if sure else min(together, limit - tried)):
                cells, (columns, holes) = self._completed(self._fulfilling(len(stretch), conditions, random), random)
                tried += len(stretch)
                good = np.ones(len(cells), dtype=bool) if self.critic_ is None else self.critic_.keeps(cells, random)
                places = np.flatnonzero(good)[: count - found]
                found += len(places)
                kept.append(
                    (
                        {name: of[places] for name, of in columns.items()},
                        {name: of[places] for name, of in holes.items()},
                    )
                )
                if found == count:
                    break
        if found < count:
            said = " and ".join(str(condition) for condition in conditions)
            raise ValueError(
                f"Only {found:,} of {tried:,} drawn rows fulfil {said}; {count:,} were asked for. Ask for fewer rows, "
                "or for less."
            )
        columns, holes = (
            {name: np.concatenate([k[which][name] for k in kept]) for name in kept[0][which]} for which in (0, 1)
        )
        return columns, holes

    def _fulfilling(self, count: int, conditions: list[Condition], random: np.random.Generator) -> np.ndarray:
        """The cells of those of so many drawn rows that fulfil all conditions: only columns they ask for are decoded.

        What was drawn of these columns stays: chances become ones and zeros.
        """
        table, cells = self.estimator_.modality_, self._cells(count, random)
        places = {condition.name: condition for condition in conditions}
        start = 0
        for column in table.columns if isinstance(table, Table) and places else ():
            here, start = slice(start, start + column.width), start + column.width
            if column.name not in places:
                continue
            if column.holes and self.holes:
                cells = cells[cells[:, here.stop - 1] <= random.random(len(cells))]
                cells[:, here.stop - 1] = 0.0
            values = column.decode(cells[:, here], random)
            good = places[column.name].fulfilled(values)
            cells, values = cells[good], values[good]
            if not isinstance(column, (Number, Moment)):
                drawn = column.encode(Raw(column.name, values, np.ones(len(cells), dtype=bool)))
                cells[:, here.start : here.start + column.own_width] = drawn[:, : column.own_width]
        return cells

    def _lot(self, count: int, random: np.random.Generator) -> tuple[np.ndarray, Rows]:
        """Drawn rows, not refined yet: as cells without gaps, and as columns with their empty cells."""
        return self._completed(self._cells(count, random), random)

    def _completed(self, cells: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, Rows]:
        """Drawn cells with chances drawn: as cells without gaps, and as columns with their empty cells."""
        table, count = self.estimator_.modality_, len(cells)
        if not isinstance(table, Table) or not table.columns:
            columns = table.decoded(torch.from_numpy(cells)) if isinstance(table, Table) else {}
            return cells, (columns, {})
        empty, start = {}, 0
        for column in table.columns:
            if column.holes:
                empty[column.name] = cells[:, start + column.width - 1] > random.random(count)
            start += column.width
        columns = table.decoded(torch.from_numpy(cells), random)
        nothing = np.zeros(count, dtype=bool)
        coded = []
        for column in table.columns:
            there = nothing if column.kind == "empty" else ~empty.get(column.name, nothing)
            coded.append(column.encode(Raw(column.name, columns[column.name], there)))
        holes = empty if self.holes else {}
        return np.nan_to_num(np.concatenate(coded, axis=1), nan=0.0), (columns, holes)

    def _cells(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Drawn rows in the network's units: numbers drawn and projected by rank, probabilities of everything else."""
        outputs = self._output(self.density_.draw(count, random))
        if not self.marginals_.known:
            return self._mean(outputs).numpy()
        return self.marginals_.by_rank(self._drawn(outputs, random))

    def _drawn(self, outputs: Tensor, random: np.random.Generator) -> np.ndarray:
        """Outputs as cells: numbers drawn from their Gaussian, chances of categories set right."""
        shifted = outputs + torch.from_numpy(self.marginals_.shift)
        return self.marginals_.noisy(self._mean(shifted).double().numpy(), random)

    @torch.no_grad()
    def _output(self, codes: np.ndarray) -> Tensor:
        """What the decoder gives for codes, on the processor."""
        network = self.estimator_.network_
        shaped = torch.from_numpy(codes.astype(np.float32)).view(len(codes), *network.code_shape)
        output: Tensor = network.decoder(shaped.to(next(network.parameters()).device))
        return output.cpu()

    @torch.no_grad()
    def _mean(self, outputs: Tensor) -> Tensor:
        """What outputs expect."""
        device = next(self.estimator_.network_.parameters()).device
        return self.estimator_.objective_.loss.mean(outputs.to(device)).cpu()

    def _stretches(self, count: int) -> Iterator[range]:
        """Rows a few thousand at a time, fewer where each makes many numbers."""
        step = max(1, min(TOGETHER, NUMBERS_TOGETHER // self.estimator_.network_.outputs_per_row))
        for start in range(0, count, step):
            yield range(start, min(start + step, count))

    # Storage

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model file holds beside the autoencoder."""
        check_is_fitted(self, "density_")
        given = "standard" if self.estimator is None else "given"
        given = "frozen" if isinstance(self.estimator, FrozenEstimator) else given
        plain = {
            "estimator": given,
            "density": to_plain(self.density),
            "fitted": to_plain(self.density_),
            "refine": bool(self.refine),
            "refined": self.critic_ is not None,
            "holes": bool(self.holes),
            "seed": self.seed_,
        }
        arrays = self.marginals_.arrays()
        arrays |= {f"density.{name}": array for name, array in self.density_.arrays().items()}
        if self.critic_ is not None:
            arrays |= {f"critic.{name}": array for name, array in self.critic_.arrays().items()}
        return plain, arrays

    @classmethod
    def restore(cls, estimator: Estimator, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`describe`."""
        given: Any = None
        if plain["estimator"] != "standard":
            given = FrozenEstimator(estimator) if plain["estimator"] == "frozen" else clone(estimator)
        made = cls(
            given,
            density=from_plain(plain["density"]),
            refine=bool(plain["refine"]),
            holes=bool(plain["holes"]),
            random_state=int(plain["seed"]),
        )
        made.estimator_, made.seed_ = estimator, int(plain["seed"])
        made.density_ = from_plain(plain["fitted"]).restore(beneath("density.", arrays))
        made.critic_ = Critic.restore(beneath("critic.", arrays)) if plain["refined"] else None
        made.marginals_ = Marginals.restore(arrays)
        made.n_features_in_ = estimator.n_features_in_
        if hasattr(estimator, "feature_names_in_"):
            made.feature_names_in_ = estimator.feature_names_in_
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


def standard(rows: int) -> VAE:
    """The autoencoder of a generator to which none is given.

    >>> standard(100).epochs
    300
    """
    return VAE(**(STANDARD | {"architecture": STANDARD["architecture"].clone(), "epochs": enough_epochs(rows)}))


def enough_epochs(rows: int) -> int:
    """Passes over so many rows that make a generator.

    >>> enough_epochs(32_000)
    32
    """
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, STEPS * ROWS_PER_STEP // rows))


def is_frame(X: Any) -> bool:
    """Whether data has columns with names."""
    if isinstance(X, np.ndarray) or hasattr(X, "tocsr"):
        return False
    return open_data(X).names is not None


def beneath(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def mean_and_deviation(code: Code) -> tuple[np.ndarray, np.ndarray]:
    """Where codes lie and how far around, ``(batch, numbers)`` each; points have no around."""
    if isinstance(code, GaussianCode):
        mean, deviation = code.mean, (code.log_variance / 2).exp()
    else:
        mean, deviation = code.values, torch.zeros_like(code.values)
    made, around = (part.flatten(1).double().cpu().numpy() for part in (mean, deviation))
    return made, around


def refuse_symbols(model: Estimator, trip: RoundTrip) -> None:
    """Codes that are looked up lie at their words only: no density of numbers draws them."""
    if isinstance(trip.code, DiscreteCode):
        raise ValueError(
            f"The codes of {type(model).__name__} are symbols, which cannot be drawn from a density of numbers. Use an "
            "autoencoder whose codes are numbers, such as VAE or Autoencoder."
        )


def joined(
    parts: list[Rows],
) -> Rows:
    """Columns and holes of several lots of rows as one."""
    columns = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    return columns, {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}


def known_cells(trip: RoundTrip) -> Tensor:
    """Which cells are known, of the target's shape."""
    return torch.ones_like(trip.target, dtype=torch.bool) if trip.known is None else trip.known


__all__ = ["Generator"]

"""The scikit-learn face of a recipe: fields, a fit, and four doors to the fitted model."""

from __future__ import annotations

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from ..architectures import MLP
from ..core.errors import DataError, ShapeError
from ..core.kinds import Architecture, Bottleneck, Corruption, Loss, Penalty
from ..core.network import Network
from ..core.objective import Objective, Recipe, check_match
from ..core.parts import Part, as_part, check_field, choice, parameters, within
from ..core.roundtrip import Batch, RoundTrip
from ..corruptions import Clean
from ..data.choosing import fit_modality, open_data
from ..data.memory import in_memory, is_frame
from ..data.modality import Modality
from ..data.scaling import SCALINGS, refuse, stretches
from ..data.source import Source
from ..losses import GaussianLikelihood
from ..training import Checkpointer, History, LinearDecay, Optimizer, Progress, Schedule, Watcher, train
from ..training.checkpoint import Checkpoint
from ..training.optimizers import as_optimizer
from ..training.precision import choose_precision
from ..training.seeding import mix, own_randomness, seed_from
from .planning import Plan, choose_device, fingerprint, make_plan

FEWEST_TOGETHER, MOST_TOGETHER = 64, 1024
OUTPUTS_TOGETHER = 1 << 21


@parameters
class Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """What all presets share; a preset adds fields of its own and a :meth:`recipe`.

    Parameters
    ----------
    code_size : int, default 8
        Numbers per sample that pass the bottleneck. More reconstruct better and say less.
    architecture : Architecture, str, or None
        How data becomes features; ``None``: the recipe's own, or what suits the data (an MLP).
    loss : Loss, str, or None
        How much was lost; ``None``: a Gaussian with its best variance, by a sigmoid for data between 0 and 1.
    scaling : {"auto", "standard", "unit", "center", "none"}, default "auto"
        How numbers are prepared: each column standardized, all brought to 0..1 together, only centered, or left.
        ``"auto"`` brings data of one unit (pixels, spectra) to 0..1 and standardizes everything else.
    column_types : dict of column name to kind, ``"infer"``, or None
        What a table's columns are: ``"continuous"``, ``"integer"``, ``"count"``, ``"ordinal"``, ``"binary"``,
        ``"categorical"`` or ``"date"``. What is not named is inferred. ``None``: infer where a table holds more than
        numbers; ``"infer"``: tell columns of numbers apart as well.
    epochs : int, or None
        Passes over the data; ``None``: as many as make 2,000 steps, at least 5 and at most 100.
    batch_size : int, default 256
        Rows per step at most; fewer where that would leave less than 8 steps in an epoch.
    learning_rate : float, or None
        Of the first steps after the warm-up; ``None``: the optimizer's own (0.05 for Muon, 0.001 for others).
    optimizer : Optimizer or str, default "muon"
        ``"muon"`` or any of ``torch.optim`` by name; ``None``: the default.
    schedule : Schedule or str, default "LinearDecay"
        How the learning rate moves: ``LinearDecay``, ``CosineDecay`` or ``Constant``; ``None``: the default.
    averaging : float in [0, 1), default 0
        Decay per step of the weights' running average; 0: none, since the rate falls to zero anyway.
    precision : {"auto", "float32", "bfloat16"}, default "auto"
        What products are computed in while training; ``"auto"``: bfloat16 where the hardware has it and it pays.
    clip : float, or None
        Largest norm of the gradient; ``None``: no limit.
    validation : float in [0, 1), default 0.1
        Share of the rows that choose the best epoch and are never trained on; none is held out below 20 rows.
    patience : int, or None
        Epochs without improvement after which training stops; ``None``: a fifth of the epochs, at least 5, or all of
        them against a rival, whose price takes no part in validation.
    max_seconds : float, or None
        A budget of time.
    device : str, default "auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``; ``"auto"``: a GPU if there is one.
    random_state : int, numpy generator, or None
        A number makes ``fit`` repeatable to the bit on one machine.
    verbose : bool, default False
        Show a progress bar on a terminal.
    """

    code_size: int = within(default=8, low=1)
    architecture: Architecture | str | None = None
    loss: Loss | str | None = None
    scaling: str = choice(*SCALINGS, default="auto")
    column_types: dict[str, str] | str | None = None
    epochs: int | None = within(default=None, low=1)
    batch_size: int = within(default=256, low=1)
    learning_rate: float | None = within(default=None, low=0.0, high=1e30, above=True)
    optimizer: Optimizer | str | None = "muon"
    schedule: Schedule | str | None = "LinearDecay"
    averaging: float = within(default=0.0, low=0.0, high=1.0, below=True)
    precision: str = choice("auto", "float32", "bfloat16", default="auto")
    clip: float | None = within(default=None, low=0.0, above=True)
    validation: float = within(default=0.1, low=0.0, high=1.0, below=True)
    patience: int | None = within(default=None, low=1)
    max_seconds: float | None = within(default=None, low=0.0)
    device: str = "auto"
    random_state: Any = None
    verbose: bool = False

    PARTS: ClassVar[dict[str, type[Part]]] = {
        "architecture": Architecture,
        "bottleneck": Bottleneck,
        "corruption": Corruption,
        "loss": Loss,
        "optimizer": Optimizer,
        "penalty": Penalty,
        "schedule": Schedule,
    }

    network_: Network = dataclasses.field(init=False)
    objective_: Objective = dataclasses.field(init=False)
    modality_: Modality = dataclasses.field(init=False)
    history_: History = dataclasses.field(init=False)
    n_features_in_: int = dataclasses.field(init=False)

    __repr__ = BaseEstimator.__repr__

    @abstractmethod
    def recipe(self) -> Recipe:
        """What makes this autoencoder: bottleneck, penalty, corruption, and loss or architecture if not as usual."""

    # Parameters

    def set_params(self, **params: Any) -> Self:
        """Set parameters; a nested one (``bottleneck__size``) turns a name or ``None`` into its part first.

        All of them or, where one is refused, none.
        """
        before = self.get_params(deep=False)
        plain = {name: value for name, value in params.items() if "__" not in name}
        nested = {name: value for name, value in params.items() if "__" in name}
        try:
            super().set_params(**plain)
            for head in {name.partition("__")[0] for name in nested} & before.keys():
                part = getattr(self, head)
                if head not in self.PARTS:
                    raise ValueError(f"Invalid parameter for {type(self).__name__}: {head} is no part with its own.")
                setattr(self, head, part.clone() if isinstance(part, Part) else self._part(head))
            super().set_params(**nested)
        except Exception:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    def _part(self, name: str) -> Part:
        """The part that a field stands for, also where it holds a name or ``None``."""
        value = getattr(self, name)
        if name == "optimizer":
            return as_optimizer(value or "muon")
        if value is not None:
            return as_part(self.PARTS[name], value)
        standard = {
            "architecture": MLP(),
            "loss": GaussianLikelihood(),
            "corruption": Clean(),
            "schedule": LinearDecay(),
        }
        part = getattr(self.recipe(), name, None) or standard.get(name)
        if part is None:
            raise ValueError(f"{type(self).__name__} has no {name} whose parameters could be set; give one first.")
        return part

    def check_parameters(self) -> None:
        """Refuse values that the fields' declarations do not allow; also in parts."""
        for field in (field for field in dataclasses.fields(self) if field.init):
            value = getattr(self, field.name)
            check_field(type(self).__name__, field, value)
            if field.name in self.PARTS and value is not None:
                self._part(field.name).check()

    # Fitting

    def plan(self, X: Any, degraded: Any = None) -> Plan:
        """Say what :meth:`fit` would do, without training: rows, shape, parameters, steps, memory."""
        self.check_parameters()
        source = self._open(X, reset=True)
        return self._plan(source, seed_from(self.random_state), degraded)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        degraded: Any = None,
        resume: str | None = None,
        watchers: Sequence[Watcher] = (),
        plan: Plan | None = None,
    ) -> Self:
        """Learn to make the round trip.

        Parameters
        ----------
        X : array, frame, list, path or name of an example set
            NaN is a missing value: never read, never scored.
        y : ignored
        degraded : data of the same kind and rows as ``X``, or None
            What the encoder sees of each row while training, where pairs of degraded and clean data are at hand;
            the recipe's corruption is applied to it. Afterwards, ``reconstruct`` takes degraded data.
        resume : path, or None
            A checkpoint file that is kept up to date while training. Where it exists already, training goes on
            from there, to the same bits as if it had never stopped.
        watchers : sequence of Watcher
            Who else looks on, or chooses which epoch is kept: :class:`~diabolo.training.EntropyStop`.
        plan : Plan, or None
            What :meth:`plan` said about these data and parameters (and ``degraded``), so that nothing is read twice.
            It is used up.

        Returns
        -------
        self

        Raises
        ------
        DataError, ShapeError
            If the data cannot be used; the message names the place.
        DivergedError
            If training stopped being finite for good. The last good weights are kept.
        """
        self.check_parameters()
        source = self._open(X, reset=True)
        plan = plan or self._plan(source, seed_from(self.random_state), degraded)
        checkpoint = None
        lookers = [*watchers, *([Progress()] if self.verbose else [])]
        if resume is not None:
            mark = fingerprint(self, plan.modality.aligned(source), plan)
            checkpoint = Checkpoint.read(resume, mark)
            lookers.append(Checkpointer(resume, mark))
        self.history_ = History()
        try:
            self._learn(plan, self.history_, lookers, checkpoint)
        finally:
            self.network_, self.objective_, self.modality_ = plan.network, plan.objective, plan.modality
            self.seed_, self.device_ = plan.seed, plan.device
            self.network_.eval()
            self.objective_.eval()
        return self

    def _plan(self, source: Source, seed: int, degraded: Any = None) -> Plan:
        device = choose_device(self.device)
        modality = self._fit_modality(source)
        try:
            with own_randomness(seed, torch.device("cpu")):
                network, objective = self._assemble(modality)
        except RuntimeError as error:
            if "alloc" not in str(error):
                raise
            raise MemoryError(
                f"The weights of {type(self).__name__} for samples of shape {modality.shape} need more memory than "
                "there is: make code_size or the architecture smaller."
            ) from error
        network.to(device)
        objective.to(device)
        seen = None if degraded is None else modality.aligned(self._open_degraded(degraded))
        if seen is not None:
            modality.facts["degraded"] = True
        return make_plan(self, modality.aligned(source), seen, modality, network, objective, seed, device)

    def _fit_modality(self, source: Source) -> Modality:
        """Learn how to read the data and write it back."""
        return fit_modality(source, self.scaling, self.column_types)

    def _assemble(self, modality: Modality) -> tuple[Network, Objective]:
        """Build network and objective for a modality, untrained."""
        recipe = self.recipe()
        bottleneck = recipe.bottleneck.clone().check()
        if bottleneck.size is None:
            bottleneck.size = self.code_size
        penalty = None if recipe.penalty is None else recipe.penalty.clone().check()
        check_match(bottleneck, penalty)
        architecture = as_part(
            Architecture, self.architecture or recipe.architecture or modality.architecture()
        ).check()
        loss = as_part(Loss, self.loss or recipe.loss or modality.loss()).check()
        if loss.needs_unit and not modality.scaling.unit:
            raise ValueError(
                f"{loss!r} needs data between 0 and 1, and {modality.facts['place']} is not after scaling="
                f"{self.scaling!r}. Use scaling='unit', or a loss such as GaussianLikelihood()."
            )
        if loss.needs_counts and not modality.counts:
            raise ValueError(
                f"{loss!r} needs counts as they came: whole numbers of at least 0, and {modality.facts['place']} holds "
                f"others after scaling={self.scaling!r}. Use scaling='none', or a loss such as GaussianLikelihood()."
            )
        corruption = Clean() if recipe.corruption is None else recipe.corruption.clone().check()
        if modality.widths is not None:
            corruption.of_columns(modality.widths)
            architecture.of_columns(modality.widths)
        loss.build(modality.shape)  # only then does it know what its output stands for
        network = self._network(modality, architecture, bottleneck, corruption, loss)
        return network, (recipe.objective or Objective)(loss, penalty).build(network)

    def _network(
        self,
        modality: Modality,
        architecture: Architecture,
        bottleneck: Bottleneck,
        corruption: Corruption,
        loss: Loss,
    ) -> Network:
        """A network of these parts, untrained, beginning at the data's mean."""
        output_shape, mean = loss.output_shape(modality.shape), torch.from_numpy(modality.mean.astype(np.float32))
        network = Network(modality.shape, architecture, bottleneck, corruption, output_shape, loss.prepare, mean)
        architecture.start(network.decoder, loss.unlink(mean))
        return network

    @property
    def closed_form(self) -> bool:
        """Whether there is nothing to train because the optimum is known."""
        return False

    def _learn(self, plan: Plan, history: History, watchers: Sequence[Watcher], checkpoint: Checkpoint | None) -> None:
        """Train what the plan has built."""
        train(
            plan.network,
            plan.objective,
            plan.batches,
            epochs=plan.epochs,
            optimizer=as_optimizer(self.optimizer or "muon"),
            learning_rate=self.learning_rate,
            schedule=as_part(Schedule, self.schedule) if self.schedule else LinearDecay(),
            validation=plan.validation,
            patience=self.patience or (None if plan.objective.rivals() else max(5, plan.epochs // 5)),
            averaging=self.averaging,
            clip=self.clip,
            precision=choose_precision(self.precision, plan.network, plan.device, plan.batch_size),
            max_seconds=self.max_seconds,
            seed=plan.seed,
            watchers=watchers,
            resume=checkpoint,
            history=history,
        )

    # Reading what the user gives

    def _open(self, X: Any, *, reset: bool) -> Source:
        """A source of the user's data, with scikit-learn's checks and bookkeeping for what lies in memory."""
        if isinstance(X, (list, tuple)) or (
            isinstance(X, np.ndarray) and (X.dtype.kind in "OSU" or isinstance(X, np.ma.MaskedArray))
        ):
            source = open_data(X)  # names the cell that is no number
            X = source.read(0, source.rows) if source.lengths is None else source
        any_length = not reset and hasattr(self, "modality_") and self.modality_.varies
        if ((isinstance(X, np.ndarray) and X.ndim < 3) or hasattr(X, "tocsr")) and not any_length:
            options = {"accept_sparse": "csr", "dtype": "numeric", "ensure_all_finite": False}
            X = validate_data(self, X, reset=reset, **options)
        elif is_frame(X):
            source = open_data(X)
            validate_data(self, X, reset=reset, skip_check_array=True)
            return source
        source = open_data(X)
        if reset:
            self.n_features_in_ = source.features
            if source.names is not None and not source.numbered:
                self.feature_names_in_ = np.array(source.names, dtype=object)
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        elif source.features != self.n_features_in_ and source.lengths is None and not any_length:
            raise ShapeError(
                f"{source.place} has {source.features} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return source

    def _open_degraded(self, X: Any) -> Source:
        """A source of what the encoder sees instead of the data, with that name in messages."""
        if isinstance(X, (str, os.PathLike, Source)):
            return self._open(X, reset=False)
        if is_frame(X, "the degraded data"):
            validate_data(self, X, reset=False, skip_check_array=True)
        return in_memory(X, "the degraded data")

    def _batches(self, X: Any, *, judged: bool = False) -> Iterator[tuple[Batch, int]]:
        """The user's data in order, in pieces on the model's device, with how many rows of each count.

        Data that has no probability under the loss is refused; a model that was trained to see degraded data may see
        such data too, but where it is ``judged``.

        All pieces are of one size, the last one filled up: matrix products then go through the same kernels however
        many rows come, and a row's result is the same alone and among others, to rounding (some kernels for narrow
        layers treat a row by its place).
        """
        check_is_fitted(self, "network_")
        source = self._open(X, reset=False)
        device = next(self.network_.parameters()).device
        together = self._rows_together
        degraded = "degraded" in self.modality_.facts or not isinstance(self.network_.corruption, Clean)
        for start, stop in stretches(source, together):
            batch = self.modality_.read(source, start, stop)
            if judged or not degraded:
                self._refuse_impossible(batch, source, start)
            for piece, count in batch.pieces(together):
                yield piece.to(device), count

    def _refuse_impossible(self, batch: Batch, source: Source, start: int) -> None:
        """Name the first cell that has no probability under the loss."""
        loss = self.objective_.loss
        wrong = loss.impossible(batch.values)
        if wrong is None:
            return
        wrong = wrong if batch.known is None else wrong & batch.known
        if wrong.any():
            what = "is no whole number of at least 0" if loss.needs_counts else "lies outside 0 to 1"
            scaled = "" if self.modality_.scaling.changes_nothing else f" after scaling={self.scaling!r}"
            cells = self.modality_.scaling.backward(self.modality_.to_user(batch.values.numpy()))
            places = self.modality_.to_user(wrong.numpy())
            source = self.modality_.aligned(source)
            refuse(places, cells, source, start, f"{what}{scaled}, which {type(loss).__name__} needs")

    @property
    def _rows_together(self) -> int:
        """Rows that go through the network at once: a power of two, fewer where each makes many numbers."""
        fit = max(1, OUTPUTS_TOGETHER // self.network_.outputs_per_row)
        return min(MOST_TOGETHER, max(FEWEST_TOGETHER, 1 << (fit.bit_length() - 1)))

    def _trips(self, X: Any) -> Iterator[tuple[RoundTrip, int]]:
        """Deterministic round trips of padded stretches to be judged, with the number of rows that count."""
        for batch, count in self._batches(X, judged=True):
            yield self.objective_.travel(self.network_, batch), count

    # The four doors

    @torch.no_grad()
    def round_trips(
        self, X: Any, *, n_draws: int | None = None, random_state: Any = None, only_holes: bool = False
    ) -> Iterator[RoundTrip]:
        """Send data on the round trip, a stretch of rows at a time.

        Parameters
        ----------
        X : data of the kind that was fitted
        n_draws : int, or None
            ``None``: deterministic, codes at their means. Otherwise so many trips per stretch, one after the other,
            each with codes drawn anew.
        random_state : int, numpy generator, or None
            Seed of the draws.
        only_holes : bool, default False
            Only what is missing will be read of the outputs; where known cells take trips of their own, spare them.

        Yields
        ------
        RoundTrip
            On the model's device, in the network's units.
        """
        seed = seed_from(random_state) if n_draws else 0
        for place, (batch, count) in enumerate(self._batches(X)):
            for draw in range(n_draws or 1):
                with own_randomness(mix(seed, place, draw), batch.values.device) if n_draws else nullcontext():
                    if only_holes:
                        trip = self.objective_.fill(self.network_, batch, sample=bool(n_draws))
                    else:
                        trip = self.objective_.travel(self.network_, batch, corrupt=False, sample=bool(n_draws))
                yield trip.first(count)

    @torch.no_grad()
    def transform(self, X: Any) -> np.ndarray:
        """Encode: the code of each sample, ``(rows, code_size)`` in float32; means where codes are distributions."""
        check_is_fitted(self, "network_")
        codes = [
            self.network_.bottleneck(self.network_.features(batch.view())).values.flatten(1)[:count]
            for batch, count in self._batches(X)
        ]
        return torch.cat(codes).cpu().numpy()

    @torch.no_grad()
    def inverse_transform(self, X: Any) -> Any:
        """Decode: data of the user's kind from codes ``(rows, code_size)``."""
        check_is_fitted(self, "network_")
        if self.network_.decoder is None:
            raise ValueError("Only the encoder of this model was loaded; load it whole to decode.")
        codes = check_array(X, dtype=np.float32)
        if codes.shape[1] != self._n_features_out:
            raise ShapeError(f"Codes have {codes.shape[1]} columns; this model's codes have {self._n_features_out}.")
        device = next(self.network_.parameters()).device
        batch = Batch(torch.from_numpy(codes.reshape(len(codes), *self.network_.code_shape)))
        pieces = batch.pieces(self._rows_together)
        outputs = [self._decode(piece.values.to(device))[:count] for piece, count in pieces]
        return self.modality_.write(torch.cat(outputs))

    def _decode(self, codes: Tensor) -> Tensor:
        """What codes expect, in the network's units."""
        return self.objective_.loss.mean(self.network_.decoder(codes))

    # What follows from them

    def expected(self, trip: RoundTrip) -> Tensor:
        """The data that a trip's output stands for, in the network's units: ``(batch, *shape)``."""
        return self.objective_.loss.mean(trip.output)

    def reconstruct(self, X: Any) -> Any:
        """Send data on the round trip and write what comes back, holes filled.

        Frames come back as frames with their names and dtypes, pictures as pictures of their dtype, sequences as a list
        of arrays. Other matrices (also lists, tensors and sparse ones) come back as a dense float array.
        """
        check_is_fitted(self, "network_")
        source = self._open(X, reset=False)
        outputs = [self.expected(trip).cpu() for trip in self.round_trips(source)]
        like = X if source.lengths is None and not self.modality_.varies else source
        return self.modality_.write(torch.cat(outputs), like=like)

    @torch.no_grad()
    def score_samples(self, X: Any) -> np.ndarray:
        """The bound on each sample's log-likelihood in nats, ``(rows,)``; lower is stranger. Never samples.

        A code that is a distribution is taken at its mean, where the bound's expectation is not: a VAE's true
        log-likelihood is estimated by its ``log_likelihood``.
        """
        nats = [self.objective_.per_sample(trip, self.network_)[:count] for trip, count in self._trips(X)]
        return -torch.cat(nats).double().cpu().numpy()

    @torch.no_grad()
    def reconstruction_error(self, X: Any) -> np.ndarray:
        """Each sample's mean squared error over its known cells, in the network's units: ``(rows,)``."""
        errors = []
        for trip, count in self._trips(X):
            squares = trip.over_cells((self.expected(trip) - trip.target).double().square())
            known = trip.known_cells()
            errors.append((squares / (known.clamp(min=1) if isinstance(known, Tensor) else known))[:count])
        return torch.cat(errors).cpu().numpy()

    @torch.no_grad()
    def score(self, X: Any, y: Any = None) -> float:
        r"""Share of the variation that comes back: :math:`1 - \sum (x - \hat x)^2 / \sum (x - \bar x)^2`.

        1 is perfect, 0 is no better than the training data's mean; the same unit for every preset and every data. NaN
        where no cell is known.
        """
        lost, there, cells = 0.0, 0.0, 0
        for padded, count in self._trips(X):
            trip = padded.first(count)
            mean = torch.from_numpy(self.modality_.mean).to(trip.target)
            lost += float(trip.over_cells((self.expected(trip) - trip.target).double().square()).sum())
            there += float(trip.over_cells((mean - trip.target).double().square()).sum())
            cells += trip.target.numel() if trip.known is None else int(trip.known.sum())
        if not cells:
            return float("nan")
        return 1 - lost / there if there else float(lost == 0)

    def save(self, path: Any) -> None:
        """Write the fitted model to one file, whole or not at all; :func:`diabolo.load` reads it."""
        from .storage import save

        save(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.network_.code_shape))


__all__ = ["DataError", "Estimator"]

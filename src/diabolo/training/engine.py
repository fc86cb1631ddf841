"""The only loop: it is the one place in the library that asks for gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import DivergedError, ModelFileError
from ..core.network import Network
from ..core.objective import Objective
from ..core.roundtrip import Batch
from .batches import Batches
from .capture import CapturedStep
from .checkpoint import Checkpoint, flatten, unflatten
from .history import History
from .memory import keep_freed_memory
from .optimizers import Muon, Optimizer, Torch
from .precision import Working
from .schedules import LinearDecay, Schedule
from .seeding import mix, own_randomness, reseed
from .threads import suitable_threads
from .watchers import Watcher
from .worker import LOCAL, Worker

STEPS_BACK = 3
SMALLER = 0.1
ROWS_TO_MEET = 2048
EXPLODED = 1e3
VALIDATING = 0x7A11DA7E  # positions of their own among the seeds of an epoch's steps
MEETING = 0x3EE7


def train(
    network: Network,
    objective: Objective,
    batches: Batches,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    learning_rate: float | None = None,
    schedule: Schedule | None = None,
    validation: Batches | None = None,
    patience: int | None = None,
    averaging: float = 0.0,
    clip: float | None = None,
    precision: str = "float32",
    max_seconds: float | None = None,
    seed: int = 0,
    watchers: Sequence[Watcher] = (),
    worker: Worker = LOCAL,
    resume: Checkpoint | None = None,
    history: History | None = None,
) -> History:
    r"""Minimize an objective: the only function that does so.

    Weights move along :math:`-\eta_t\,\nabla \frac1{|B|}\sum_{i\in B} \ell(x_i) + p(x_i)` over batches :math:`B`
    that are a pure function of the seed, the epoch and the position.

    Parameters
    ----------
    network, objective : Network, Objective
        Trained in place; at the end they hold the best weights, by the validation part or a watcher that chooses, or
        the last ones.
    batches : Batches
    epochs : int
    optimizer : Optimizer, default Muon
    learning_rate : float, or None
        ``None``: the optimizer's own default.
    schedule : Schedule, default LinearDecay
    validation : Batches, or None
        Held-out rows; they choose the epoch whose weights are kept.
    patience : int, or None
        Stop after so many epochs without a better validation loss, or whatever chooses.
    averaging : float in [0, 1)
        Decay per step of a running average of the weights, which is what is validated and kept; 0: none.
    clip : float, or None
        Largest norm of the network's gradient; rivals have their own, which is left as it is.
    precision : {"float32", "bfloat16"}
        What products are computed in; weights, losses and validation stay in float32.
    max_seconds : float, or None
        A budget; the epoch in which it runs out is cut short.
    seed : int
    watchers : sequence of Watcher
    worker : Worker
    resume : Checkpoint, or None
        Go on from here, to the same bits as an undisturbed run.
    history : History, or None
        Filled in place, so that it is there even when training ends by an error.

    Raises
    ------
    DivergedError
        If a loss or a weight stopped being finite, or the error exploded, and going back three times, with a tenth,
        then a hundredth, then a thousandth of the learning rate before, did not help. The network then holds the
        last good weights.
    KeyboardInterrupt
        Passed on after the best weights are in place.

    >>> from diabolo import MLP, Clean, Identity, SquaredError
    >>> from diabolo.training import Resident
    >>> network = Network((4,), MLP(hidden=(8,)), Identity(2), Clean())
    >>> objective = Objective(SquaredError()).build(network)
    >>> train(network, objective, Resident(Batch(torch.randn(64, 4)), 32, seed=0), epochs=2).columns
    ['epoch', 'loss', 'learning_rate', 'seconds']
    """
    run = Run(network, objective, batches, epochs=epochs, optimizer=optimizer or Muon(), seed=seed, worker=worker)
    run.base_rate = learning_rate or run.optimizer_part.default_rate
    run.schedule, run.validation, run.patience = schedule or LinearDecay(), validation, patience
    run.history = History() if history is None else history
    run.averaging, run.clip, run.max_seconds, run.watchers = averaging, clip, max_seconds, list(watchers)
    run.criterion = next((watcher.criterion for watcher in watchers if watcher.criterion), run.criterion)
    keep_freed_memory()
    weights = sum(weight.numel() for weight in network.parameters())
    products = 3.0 * weights * batches.rows / batches.steps
    with own_randomness(seed, run.device), suitable_threads(products, run.device):
        if resume is None:
            run.meet()
        run.prepare(precision)
        if resume is not None:
            run.restore(resume)
        run.loop()
    return run.history


class Run:
    """The state of a training run, and its steps. Read by watchers; made by :func:`train`."""

    base_rate: float
    schedule: Schedule
    validation: Batches | None
    patience: int | None
    averaging: float
    clip: float | None
    max_seconds: float | None
    watchers: list[Watcher]
    working: Working
    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        network: Network,
        objective: Objective,
        batches: Batches,
        *,
        epochs: int,
        optimizer: Optimizer,
        seed: int,
        worker: Worker,
    ) -> None:
        self.network, self.objective, self.batches = network, objective, batches
        self.epochs, self.optimizer_part, self.seed, self.worker = epochs, optimizer, seed, worker
        self.device = next(network.parameters()).device
        self.history = History()
        self.epoch = self.step = 0
        self.rate_scale = 1.0
        self.returns = 0
        self.started, self.seconds_before = time.monotonic(), 0.0
        self.best: dict[str, Tensor] | None = None
        self.best_loss = math.inf
        self.criterion = "validation_loss"
        self.first_error: float | None = None

    # What is there before the first step

    def meet(self) -> None:
        """Show fresh parts some rows of the first epoch, from which they may begin."""
        met: list[Batch] = []
        for batch in self.batches.epoch(0):
            met.append(batch)
            if sum(map(len, met)) >= ROWS_TO_MEET:
                break
        reseed(mix(self.seed, MEETING), self.device)
        self.network.eval()
        self.objective.eval()
        self.objective.meet(self.network, Batch.joined(met))

    def prepare(self, precision: str) -> None:
        """Make the optimizers, the working copy and the sums of the epoch."""
        self.working = Working(self.network, precision)
        rivals = self.objective.rivals()
        theirs = [weight for rival in rivals.values() for weight in rival.parameters() if weight.requires_grad]
        apart = {id(weight) for weight in theirs}
        own = [w for w in self.objective.parameters() if w.requires_grad and id(w) not in apart]
        weights = [*self.working.weights, *own]
        self.worker.share([weight.data for weight in [*weights, *theirs]])
        self.weights: list[nn.Parameter] = weights
        self.optimizer = self.optimizer_part.build(weights, self.base_rate)
        self.rival_weights = theirs
        self.rival_optimizers = {
            name: Torch("Adam").build(rival.parameters(), rival.learning_rate) for name, rival in rivals.items()
        }
        if self.device.type == "cuda":
            for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
                group["lr"] = torch.tensor(float(group["lr"]), device=self.device)
        # A step that asks the device something while it runs cannot be recorded.
        waits = any(getattr(module, "waits_for_device", False) for module in self.network.modules())
        captured = self.device.type == "cuda" and self.worker.count == 1 and not waits
        self.take_step: Callable[[Batch], None] = CapturedStep(self.descend) if captured else self.descend
        names = ["total", "loss", *self.objective.terms(), *(f"{name}_rival" for name in rivals)]
        self.sums = {name: torch.zeros((), dtype=torch.float64, device=self.device) for name in names}
        self.averages = [weight.detach().clone() for weight in weights] if self.averaging else []
        self.epoch_start = self.snapshot()

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The network's, then the rivals'."""
        return [self.optimizer, *self.rival_optimizers.values()]

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.seconds_before + time.monotonic() - self.started

    # The loop

    def loop(self) -> None:
        """Train until something says stop; always leave good weights and tell the watchers."""
        self.started = time.monotonic()
        for watcher in self.watchers:
            watcher.on_start(self)
        try:
            while self.epoch < self.epochs and self.history.stopped == "finished":
                self.run_epoch()
        except KeyboardInterrupt:
            self.history.stopped = "interrupted"
            raise
        finally:
            self.finish()

    def run_epoch(self) -> None:
        """One pass over the data, its validation and its row of the history."""
        if self.step == 0:
            self.epoch_start = self.snapshot()
            self.objective.restart()
        self.network.train()
        self.working.network.train()
        self.objective.train()
        for batch in self.batches.epoch(self.epoch, self.step):
            self.before_step()
            self.take_step(batch)
            self.step += 1
            for watcher in self.watchers:
                watcher.on_step(self)
            if self.max_seconds is not None and self.seconds > self.max_seconds:
                self.history.stopped = "max_seconds"
                break
        row = self.row()
        if self.diverged(row):
            self.step_back()
            return
        for watcher in self.watchers:
            watcher.on_row(self, row)
        self.history.rows.append(row)
        self.choose(row)
        self.epoch, self.step = self.epoch + 1, 0
        for total in self.sums.values():
            total.zero_()
        for watcher in self.watchers:
            watcher.on_epoch(self, row)

    def before_step(self) -> None:
        """Set what depends on the position alone: randomness, learning rate, progress."""
        reseed(mix(self.seed, self.epoch, self.step), self.device)
        total = self.epochs * self.batches.steps
        done = (self.epoch * self.batches.steps + self.step + 1) / total
        factor = self.rate_scale * self.schedule.factor(min(done, 1.0 - 0.5 / total))
        rates = [self.base_rate, *(rival.learning_rate for rival in self.objective.rivals().values())]
        for optimizer, base in zip(self.optimizers, rates, strict=True):
            set_rate(optimizer, base * factor)
        self.rate = self.base_rate * factor
        self.objective.progress.fill_(done)

    def descend(self, batch: Batch) -> None:
        """One step downhill."""
        self.working.forget_gradients()
        for weight in self.objective.parameters():
            weight.grad = None
        with self.working.context():
            trip = self.objective.travel(self.working.network, batch)
        trip = trip.float()
        for weight in self.rival_weights:  # held still while the network pays ...
            weight.requires_grad_(False)
        cost = self.objective(trip, self.working.network)
        for weight in self.rival_weights:  # ... and free while they learn
            weight.requires_grad_(True)
        rivalry = self.objective.rivalry(trip, self.working.network) if self.rival_weights else {}
        cost.total.backward()
        if rivalry:  # whatever a rival asked of the network, only rivals learn from it
            torch.autograd.backward(list(rivalry.values()), inputs=self.rival_weights)
        gradients = self.working.hand_over_gradients()
        if self.worker.count > 1:
            theirs = [weight.grad for weight in self.objective.parameters() if weight.grad is not None]
            self.worker.average([*gradients, *theirs])
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.working.take_weights()
        with torch.no_grad():
            if self.averages:
                torch._foreach_lerp_(self.averages, list[Tensor](self.weights), 1 - self.averaging)
            self.sums["total"].add_(cost.total.detach(), alpha=len(batch))
            for name, value in cost.terms.items() if self.objective.terms() else ():
                self.sums[name].add_(value.detach(), alpha=len(batch))
            for name, value in rivalry.items():
                self.sums[f"{name}_rival"].add_(value.detach(), alpha=len(batch))

    # What an epoch came to

    def row(self) -> dict[str, Any]:
        """The epoch's row of the history."""
        rows = self.batches.rows * min(1.0, self.step / self.batches.steps)
        means = {name: float(total) / rows for name, total in self.sums.items()}
        row: dict[str, Any] = {"epoch": self.epoch, "loss": means.pop("total")}
        if self.objective.terms():
            row["reconstruction"] = means.pop("loss")
            row |= means
        if self.validation is not None:
            row |= self.validate(self.validation)
        return row | {"learning_rate": self.rate, "seconds": round(self.seconds, 3)}

    @torch.no_grad()
    def validate(self, held_out: Batches) -> dict[str, float]:
        """The objective and the mean squared error on held-out rows, by the weights that would be kept.

        Corruption and sampling are as in training, because that is what is minimized, but draw from a seed that is
        the same in every epoch. The loss gathers what it has to know (a variance) from these rows.
        """
        self.network.eval()
        self.objective.eval()
        self.objective.loss.train()
        self.objective.restart()
        self.objective.progress.fill_(1.0)
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        self.exchange_averages()
        for place, batch in enumerate(held_out.ordered()):
            reseed(mix(self.seed, VALIDATING, place), self.device)
            trip = self.objective.travel(self.network, batch, corrupt=True, sample=True)
            cost = self.objective(trip, self.network).total
            squares = trip.over_cells((self.objective.loss.mean(trip.output) - trip.target).square())
            known = trip.known_cells()
            cells = known.sum() if isinstance(known, Tensor) else known * len(trip.target)
            totals += torch.stack([cost.double() * len(batch), squares.sum().double(), totals.new_tensor(float(cells))])
        self.exchange_averages()
        self.objective.train()
        loss, squares, cells = totals.tolist()
        return {
            "validation_loss": loss / held_out.rows,
            "validation_squared_error": squares / max(cells, 1.0),
        }

    @torch.no_grad()
    def exchange_averages(self) -> None:
        """Swap weights and averaged weights, where there are some."""
        for weight, average in zip(self.weights, self.averages, strict=False):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

    def choose(self, row: dict[str, Any]) -> None:
        """Keep the weights if they are the best so far; stop if they have not been for long."""
        if self.criterion not in row:
            return
        if row[self.criterion] < self.best_loss:
            self.best_loss, self.history.best_epoch = row[self.criterion], row["epoch"]
            self.best = self.weights_now()
        elif self.patience is not None and row["epoch"] - (self.history.best_epoch or 0) >= self.patience:
            self.history.stopped = "patience"

    def weights_now(self) -> dict[str, Tensor]:
        """A copy of what would be kept: averaged weights where there are some, and all buffers."""
        self.exchange_averages()
        state = {f"network.{k}": v.detach().clone() for k, v in self.network.state_dict().items()}
        state |= {f"objective.{k}": v.detach().clone() for k, v in self.objective.state_dict().items()}
        self.exchange_averages()
        return state

    def put_weights(self, state: dict[str, Tensor]) -> None:
        """The reverse of :meth:`weights_now`, without averages."""
        for name, module in (("network.", self.network), ("objective.", self.objective)):
            module.load_state_dict({k.removeprefix(name): v for k, v in state.items() if k.startswith(name)})

    def finish(self) -> None:
        """Put the weights in place that are to be kept."""
        if self.history.stopped == "diverged" and self.best is None:
            self.load_snapshot(self.epoch_start)
        if self.best is not None:
            self.put_weights(self.best)
        elif self.averages:
            self.exchange_averages()
        self.network.eval()
        self.objective.eval()
        self.objective.progress.fill_(1.0)
        for watcher in self.watchers:
            watcher.on_end(self)

    # Divergence: named and rolled back

    def diverged(self, row: dict[str, Any]) -> bool:
        """Whether a loss or a weight is not finite any more, or the error has grown out of all proportion."""
        finite = math.isfinite(row["loss"]) and math.isfinite(row.get("validation_loss", 0.0))
        if not finite or not all(bool(torch.isfinite(weight).all()) for weight in [*self.weights, *self.rival_weights]):
            return True
        error = row.get("validation_squared_error")
        if error is not None and self.first_error is None:
            self.first_error = self.untrained_error()
        return error is not None and self.first_error is not None and error > EXPLODED * self.first_error

    def untrained_error(self) -> float:
        """The held-out squared error of the weights that the first epoch began with."""
        assert self.validation is not None
        now = self.snapshot()
        self.load_snapshot(self.epoch_start)
        error = self.validate(self.validation)["validation_squared_error"]
        self.load_snapshot(now)
        return max(error, 1e-12)

    def step_back(self) -> None:
        """Return to the epoch's start with smaller steps, or give up and say where it went wrong."""
        if self.returns >= STEPS_BACK:
            batch, term = self.locate()
            self.history.stopped = "diverged"
            raise DivergedError(self.epoch, batch, term, self.advice())
        self.load_snapshot(self.epoch_start)
        self.returns += 1
        self.rate_scale *= SMALLER**self.returns
        self.history.notes.append(
            f"epoch {self.epoch} diverged; it was repeated with learning rate {self.base_rate * self.rate_scale:.3g}."
        )
        self.step = 0
        for total in self.sums.values():
            total.zero_()

    def advice(self) -> str:
        """What to do about a divergence."""
        return (
            f"Smaller learning rates down to {self.base_rate * self.rate_scale:.3g} diverged as well; "
            "look for extreme values in the data, lower learning_rate, or set clip."
        )

    def locate(self) -> tuple[int, str]:
        """Repeat the epoch step by step, which batches make possible, and name what stopped being finite first."""
        self.load_snapshot(self.epoch_start)
        self.step = 0
        for place, batch in enumerate(self.batches.epoch(self.epoch)):
            self.step = place
            self.before_step()
            for total in self.sums.values():
                total.zero_()
            self.descend(batch)
            broken = [name for name, total in self.sums.items() if not math.isfinite(float(total))]
            broken.sort(key=lambda name: name == "total")
            named = [*self.network.named_parameters(), *self.objective.named_parameters()]
            broken += [name for name, weight in named if not bool(torch.isfinite(weight).all())]
            if broken:
                return place, broken[0]
        return self.batches.steps - 1, "the squared error"

    # Snapshots and checkpoints

    def snapshot(self) -> dict[str, Any]:
        """Copies of everything that a step changes."""
        tensors: dict[str, Tensor] = {}
        plain = flatten("", self.everything(), tensors)
        return {"plain": plain, "tensors": {name: tensor.clone() for name, tensor in tensors.items()}}

    def everything(self) -> dict[str, Any]:
        """All that a step changes, as references."""
        return {
            "network": dict(self.network.state_dict()),
            "objective": dict(self.objective.state_dict()),
            "optimizers": [optimizer.state_dict()["state"] for optimizer in self.optimizers],
            "averages": self.averages,
        }

    def load_snapshot(self, snapshot: dict[str, Any]) -> None:
        """The reverse of :meth:`snapshot`; weights and optimizer state stay where they are in memory."""
        state = unflatten(snapshot["plain"], snapshot["tensors"])
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": clone(kept), "param_groups": groups})
        if isinstance(self.take_step, CapturedStep):  # graphs hold the old state's addresses
            self.take_step = CapturedStep(self.descend)
        with torch.no_grad():
            for average, value in zip(self.averages, state["averages"], strict=True):
                average.copy_(value)
        self.working.take_weights()

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a checkpoint holds: plain facts and tensors."""
        tensors: dict[str, Tensor] = {}
        state = {
            "now": flatten("now", self.everything(), tensors),
            "start": flatten("start", self.epoch_start["plain"], tensors),
            "best": flatten("best", self.best, tensors),
            "sums": flatten("sums", self.sums, tensors),
        }
        tensors |= {f"start{name}": tensor for name, tensor in self.epoch_start["tensors"].items()}
        plain = {
            "seed": self.seed,
            "epoch": self.epoch,
            "step": self.step,
            "rate": self.rate,
            "rate_scale": self.rate_scale,
            "returns": self.returns,
            "first_error": self.first_error,
            "criterion": self.criterion,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "seconds": self.seconds,
            "history": self.history.to_dict(),
        }
        return {"plain": plain, "state": state}, tensors

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        plain, state, tensors = checkpoint.facts["plain"], checkpoint.facts["state"], checkpoint.tensors
        chosen_by = plain.get("criterion", "validation_loss")
        if chosen_by != self.criterion:
            raise ModelFileError(
                f"The checkpoint is of a run whose best weights are chosen by {chosen_by}, and this one's are by "
                f"{self.criterion}. Resume with the same watchers, or remove the file to begin anew."
            )
        tensors = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        prefixed = {name.removeprefix("start"): tensor for name, tensor in tensors.items() if name.startswith("start.")}
        self.load_snapshot({"plain": state["now"], "tensors": tensors})
        self.epoch_start = {"plain": state["start"], "tensors": prefixed}
        self.best = unflatten(state["best"], tensors)
        for name, total in unflatten(state["sums"], tensors).items():
            self.sums[name].copy_(total)
        self.epoch, self.step, self.returns = plain["epoch"], plain["step"], plain["returns"]
        self.rate_scale, self.first_error = plain["rate_scale"], plain["first_error"]
        self.best_loss = math.inf if plain["best_loss"] is None else plain["best_loss"]
        self.seconds_before = plain["seconds"]
        vars(self.history).update(plain["history"])
        self.rate = plain["rate"]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate, in place where a captured step reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def clone(value: Any) -> Any:
    """Copies of all tensors in nested dicts and lists."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value] if isinstance(value, list) else value

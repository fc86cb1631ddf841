"""A fit that survives: history line by line, checkpoints, signals, divergence."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..core.errors import DataError, DivergedError
from ..core.files import read_description
from ..data.rows import Rows
from ..estimators.planning import rows_held_out
from ..training import HistoryFile, Progress, Watcher
from ..training.seeding import seed_from
from .errors import WORDS, Code, Stopped, as_usage, unreadable_model
from .inputs import open_source
from .output import counted, say, size
from .watching import Brake, Lines

if TYPE_CHECKING:
    from pathlib import Path

    from ..data.source import Source
    from ..estimators import Estimator, Plan
    from .fit import Files
    from .series import SeriesFit

SIGNALS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}


def resumed_seed(checkpoint: Path) -> int | None:
    """The seed of the run that a checkpoint belongs to, where there is one."""
    if not checkpoint.exists():
        return None
    try:
        seed = read_description(checkpoint).get("run", {}).get("plain", {}).get("seed")
    except OSError as error:
        raise unreadable_model(str(checkpoint), error) from error
    return seed if isinstance(seed, int) else None


def make_plan(
    estimator: Estimator, data: str | Source, label: str | None, degraded: str | None = None, task: str | None = None
) -> tuple[Source, Plan]:
    """Open the data and decide everything that is decided before training; the rows to train on come back.

    Where the model is made to fill or to draw, columns of numbers are told apart too, and of a generator epochs are as
    many as that takes, unless the user said otherwise. A detector is calibrated by rows that are left out here.
    """
    source = open_source(data, label) if isinstance(data, str) else data
    if (
        task in ("generator", "imputer")
        and source.names is not None
        and estimator.column_types is None
        and estimator.loss is None
    ):
        estimator.set_params(column_types="infer")
    if task == "generator" and estimator.epochs is None:
        from ..tasks.generator import enough_epochs

        estimator.set_params(epochs=enough_epochs(source.rows))
    seen = None if degraded is None else open_source(degraded, label)
    if task == "detector":
        source, seen = without_calibration(estimator, source, seen)
    try:
        return source, estimator.plan(source, seen)
    except DataError:
        raise
    except ValueError as error:  # parameters that fit neither each other nor this machine
        raise click.UsageError(str(error)) from error


def without_calibration(estimator: Estimator, source: Source, seen: Source | None) -> tuple[Source, Source | None]:
    """The rows that a detector's estimator is trained on, which its seed decides."""
    from ..tasks.anomaly import AnomalyDetector, calibration_rows

    with as_usage(ValueError):
        estimator.set_params(random_state=seed_from(estimator.random_state))
    held_out = calibration_rows(source, AnomalyDetector().calibration, estimator.random_state)
    if not len(held_out) or (seen is not None and seen.rows != source.rows):  # the latter is refused by the plan
        return source, seen
    rest = np.setdiff1d(np.arange(source.rows), held_out)
    return Rows(source, rest), None if seen is None else Rows(seen, rest)


def whole_of(source: Source) -> Source:
    """The data that training rows were taken from."""
    return source.source if isinstance(source, Rows) else source


def promise_of(source: Source) -> tuple[int, str]:
    """How many rows a detector is calibrated by that are not among these training rows, and what that can promise."""
    from ..tasks.thresholds import Quantile

    held_out = whole_of(source).rows - source.rows
    if not held_out:
        return 0, "With so few rows it is calibrated by those it is trained on, and nothing is promised."
    return held_out, Quantile().promise(held_out)


class Fitting:
    """One run of ``diabolo fit`` from the plan to the saved model.

    Parameters
    ----------
    estimator : Estimator
    source : Source
        The rows to train on.
    plan : Plan
    files : Files
    resume : bool
        Go on from the checkpoint, if there is one.
    progress : bool
        Show a bar on a terminal, and lines elsewhere.
    task : {"generator", "imputer", "detector", "series"}, or None
        What to make of the model once it is fitted, and to save instead of it.
    series : SeriesFit, or None
        Whose windows the rows are.
    """

    def __init__(
        self,
        estimator: Estimator,
        source: Source,
        plan: Plan,
        files: Files,
        *,
        resume: bool,
        progress: bool,
        task: str | None = None,
        series: SeriesFit | None = None,
    ) -> None:
        self.series = series
        self.noun = "row" if series is None else "window"
        self.estimator, self.source, self.plan, self.files = estimator, source, plan, files
        self.resume, self.progress, self.task = resume, progress, task
        self.brake = Brake()
        self.started = time.monotonic()
        self.facts: dict[str, Any] = {}

    def run(self) -> int:
        """Train, save and tell; the exit code."""
        self.files.model.parent.mkdir(parents=True, exist_ok=True)
        if not self.resume:
            self.files.checkpoint.unlink(missing_ok=True)
        elif self.files.checkpoint.exists():
            say(f"going on from {self.files.checkpoint}")
        else:
            say(f"{self.files.checkpoint} is not there yet; training begins anew")
        with self.brake:
            try:
                self.train()
            except DivergedError as error:
                return self.after_divergence(error)
            except KeyboardInterrupt as stop:
                return self.after_interrupt(stop.number if isinstance(stop, Stopped) else signal.SIGINT)
            self.save()
            self.files.checkpoint.unlink(missing_ok=True)
        if self.brake.wanted is not None:  # it came when there was nothing left to stop
            return self.after_all()
        self.tell()
        return Code.OK

    def train(self) -> None:
        """Fit with everybody who looks on."""
        watchers: list[Watcher] = [self.brake, HistoryFile(self.files.history)]
        if self.progress:
            watchers.append(Progress(sys.stderr) if sys.stderr.isatty() else Lines())
        self.estimator.fit(self.source, plan=self.plan, watchers=watchers, resume=str(self.files.checkpoint))
        if self.brake.run is None:  # solved in closed form: nobody was asked to look on
            rows = self.estimator.history_.rows
            self.files.history.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def save(self) -> None:
        """Write the model, or the task around it."""
        if self.task is None:
            self.estimator.save(self.files.model)
            return
        if self.series is not None:
            say("measuring which scores are usual")
            self.series.save(self.estimator, self.plan.seed, self.files.model)
            return
        from sklearn.frozen import FrozenEstimator

        from ..tasks.storage import AnomalyDetector, Generator, Imputer

        tasks: dict[str, tuple[type[AnomalyDetector | Generator | Imputer], str]] = {
            "generator": (Generator, "learning where codes lie"),
            "imputer": (Imputer, "measuring how far off hidden cells are filled"),
            "detector": (AnomalyDetector, "measuring which scores are usual"),
        }
        made, words = tasks[self.task]
        say(words)
        task = made(FrozenEstimator(self.estimator), random_state=self.plan.seed)
        task.fit(whole_of(self.source) if self.task == "detector" else self.source).save(self.files.model)

    def tell(self) -> None:
        """The final lines: how much comes back, how long it took, where the model is."""
        history = self.estimator.history_
        held_out = "validation_loss" in history.columns and self.plan.validation is not None
        numbers = rows_held_out(self.source, self.estimator.validation, self.plan.seed).numpy()
        rows = Rows(self.source, numbers) if held_out else self.source
        score = self.estimator.score(rows)
        on = f"{counted(rows.rows, f'held-out {self.noun}')}" if held_out else f"all {counted(rows.rows, self.noun)}"
        self.gather("finished", score=score, score_on="validation" if held_out else "all")
        best = "" if history.best_epoch is None else f", the best of them number {history.best_epoch + 1}"
        why = {"patience": ", stopped early", "max_seconds": ", out of time"}.get(history.stopped, "")
        for note in history.notes:
            say(note)
        say(f"R2 {score:.4f} on {on}; {self.seconds:.1f} s, {counted(len(history), 'epoch')}{best}{why}")
        say(f"{self.files.model}, {size(self.files.model.stat().st_size)}")

    def after_all(self) -> int:
        """A signal came in the last moment: all is saved, and the caller still learns of the signal."""
        assert self.brake.wanted is not None
        word = SIGNALS[signal.Signals(self.brake.wanted)]
        say(f"{word} when training was over: the whole model is in {self.files.model}")
        self.gather("finished")
        return 128 + self.brake.wanted

    def after_interrupt(self, number: int) -> int:
        """Save the best model so far, and say how to go on."""
        word = SIGNALS[signal.Signals(number)]
        if not self.brake.learned:
            say(f"{word} before anything was learned; nothing was written.")
            self.facts = {"stopped": "interrupted", "saved": None}
            return 128 + number
        assert self.brake.history is not None
        self.estimator.history_ = history = self.brake.history
        self.estimator.save(self.files.model)
        best = history.best_epoch
        which = f"the best weights, of epoch {best + 1}," if best is not None else "the weights so far"
        say(f"{word} in epoch {self.brake.run.epoch + 1} of {self.plan.epochs}: {which} are in {self.files.model}")
        if self.files.checkpoint.exists():
            say(f"Go on with: {self.command_to_resume()}")
        self.gather("interrupted")
        return 128 + number

    def after_divergence(self, error: DivergedError) -> int:
        """Save the last good model beside, and say what happened."""
        say(f"Error: training diverged: {error}")
        self.files.checkpoint.unlink(missing_ok=True)
        history = self.brake.history
        self.facts = {"stopped": "diverged", "saved": None}
        if history is not None and len(history):
            self.estimator.history_ = history
            self.estimator.save(self.files.last_good)
            self.gather("diverged")
            self.facts["saved"] = str(self.files.last_good)
            say(f"The last good model, after {counted(len(history), 'epoch')}, is in {self.files.last_good}")
        return Code.DIVERGED

    @property
    def seconds(self) -> float:
        """Since the plan was told."""
        return time.monotonic() - self.started

    def gather(self, stopped: str, **more: Any) -> None:
        """What ``--json`` tells about the run."""
        history = self.estimator.history_
        self.facts = {
            "stopped": history.stopped if stopped == "finished" else stopped,
            "saved": str(self.files.model),
            "epochs_done": len(history),
            "best_epoch": history.best_epoch,
            "last": history.rows[-1] if len(history) else None,
            "notes": history.notes,
            "seconds": round(self.seconds, 3),
        } | more

    def command_to_resume(self) -> str:
        """The command line that goes on, as one can paste it."""
        given = click.get_current_context().meta[WORDS]
        kept = [word for word in given if word not in ("--force", "--resume")]
        return shlex.join(["diabolo", *kept, "--resume"])

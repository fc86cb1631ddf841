"""Those who look on while training: a progress bar, a file that grows by a line per epoch, a checkpoint."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from .checkpoint import Checkpoint

if TYPE_CHECKING:
    from .engine import Run


class Watcher:
    """Looks on and does nothing; overwrite what is of interest.

    Attributes
    ----------
    criterion : str, or None
        The column of the history whose lowest value tells which weights are kept, in place of ``"validation_loss"``;
        for watchers that choose.

    >>> Watcher().on_epoch(None, {})
    """

    criterion: ClassVar[str | None] = None

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After each step; must not wait for the device."""

    def on_row(self, run: Run, row: dict[str, Any]) -> None:
        """Before the epoch is judged by its row of the history, which may be added to."""

    def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
        """After each epoch, with its row of the history."""

    def on_end(self, run: Run) -> None:
        """Whenever training ends, also by an error."""


class Progress(Watcher):
    """A bar with loss, validation loss and the time left, on a terminal only.

    Parameters
    ----------
    stream : text file, default standard error

    >>> from diabolo import Autoencoder
    >>> model = Autoencoder(epochs=1).fit([[0.0, 1.0], [1.0, 0.0]], watchers=[Progress()])
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.bar: Any = None

    def on_start(self, run: Run) -> None:
        """Draw the bar."""
        from tqdm import tqdm

        steps = run.epochs * run.batches.steps
        self.bar = tqdm(
            total=steps,
            initial=run.epoch * run.batches.steps + run.step,
            unit="step",
            file=self.stream,
            disable=not self.stream.isatty(),
            bar_format="{percentage:3.0f}% |{bar}| {desc} {elapsed}<{remaining}",
            dynamic_ncols=True,
        )

    def on_step(self, run: Run) -> None:
        """One step further."""
        self.bar.update()

    def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
        """Say the losses."""
        validation = "" if row.get("validation_loss") is None else f", validation {row['validation_loss']:.4g}"
        self.bar.set_description_str(f"epoch {row['epoch'] + 1}/{run.epochs}: loss {row['loss']:.4g}{validation}")

    def on_end(self, run: Run) -> None:
        """Leave the last state on the screen."""
        if self.bar is not None:
            self.bar.close()


class HistoryFile(Watcher):
    """Writes the history line by line (JSON), so that a killed run still tells what it saw.

    Parameters
    ----------
    path : path

    >>> import tempfile
    >>> from diabolo import Autoencoder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = HistoryFile(Path(folder) / "history.jsonl")
    ...     _ = Autoencoder(epochs=2).fit([[0.0, 1.0], [1.0, 0.0]], watchers=[lines])
    ...     len(lines.path.read_text().splitlines())
    2
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_start(self, run: Run) -> None:
        """Begin with the rows that a resumed run brings along."""
        self.path.write_text("".join(json.dumps(row) + "\n" for row in run.history), encoding="utf-8")

    def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Checkpointer(Watcher):
    """Writes all that a run needs to go on, at most every few seconds.

    Parameters
    ----------
    path : path
    fingerprint : str
        Of data and parameters; a run only resumes where both are the same.
    seconds : float, default 10
        At least so long between two checkpoints, the first after one second; 0 writes one after every step.

    >>> Checkpointer("model.checkpoint", "fingerprint").seconds
    10.0
    """

    def __init__(self, path: str | Path, fingerprint: str, seconds: float = 10.0) -> None:
        self.path, self.fingerprint, self.seconds = Path(path), fingerprint, seconds
        self.last = time.monotonic() - seconds + min(1.0, seconds)  # the first one soon

    def on_step(self, run: Run) -> None:
        """Write if it is time."""
        if time.monotonic() - self.last >= self.seconds and run.worker.number == 0:
            self.write(run)

    def write(self, run: Run) -> None:
        """Write now."""
        Checkpoint.of(run, self.fingerprint).write(self.path)
        self.last = time.monotonic()

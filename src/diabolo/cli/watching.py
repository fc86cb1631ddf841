"""Who looks on while the command line trains: plain lines where there is no terminal, and a brake for signals."""

from __future__ import annotations

import signal
import time
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..training import Checkpointer, Watcher
from .errors import Stopped, handling
from .output import say

if TYPE_CHECKING:
    from ..training import History

SECONDS = 30.0


class Lines(Watcher):
    """A line after the first and the last epoch, and about ten between; more if an epoch is slow.

    >>> from types import SimpleNamespace
    >>> Lines().on_epoch(SimpleNamespace(epochs=2), {"epoch": 0, "loss": 1.5, "seconds": 0.25})
    """

    def __init__(self) -> None:
        self.next_epoch, self.last = 0, time.monotonic()

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """Say the losses if it is time."""
        done = row["epoch"] + 1
        if done < self.next_epoch and done < run.epochs and time.monotonic() - self.last < SECONDS:
            return
        self.next_epoch, self.last = done + max(1, run.epochs // 10), time.monotonic()
        validation = row.get("validation_loss")
        held_out = "" if validation is None else f", validation {validation:.5g}"
        say(f"epoch {done}/{run.epochs}: loss {row['loss']:.5g}{held_out}, {row['seconds']:.1f} s")


class Brake(Watcher):
    """Stops a run at the end of the step in which SIGINT or SIGTERM comes, with a checkpoint of that very step.

    A second signal stops at once; the checkpoint is then the last one that was written. Once the run has stopped,
    signals are ignored, so that the model can be saved.

    >>> Brake().learned
    False
    """

    def __init__(self) -> None:
        self.run: Any = None
        self.wanted: int | None = None
        self.running = self.stopped = False
        self._handlers: AbstractContextManager[None] | None = None

    @property
    def learned(self) -> bool:
        """Whether at least one step was made."""
        return self.run is not None and (self.run.epoch > 0 or self.run.step > 0)

    @property
    def history(self) -> History | None:
        """What was learned so far, epoch by epoch."""
        return None if self.run is None else self.run.history

    def __enter__(self) -> Brake:
        self._handlers = handling({signal.SIGINT: self.pull, signal.SIGTERM: self.pull})
        self._handlers.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._handlers is not None
        self._handlers.__exit__(None, None, None)

    def pull(self, number: int, frame: FrameType | None) -> None:
        """Answer a signal."""
        if self.stopped:
            return
        if self.running and self.wanted is None:
            self.wanted = number
            return
        self.wanted, self.stopped = number, True
        raise Stopped(number)

    def on_start(self, run: Any) -> None:
        """From here on a stop waits for the step's end."""
        self.run, self.running = run, True

    def on_step(self, run: Any) -> None:
        """Stop if that was asked for."""
        if self.wanted is None:
            return
        self.stopped = True
        for watcher in run.watchers:
            if isinstance(watcher, Checkpointer):
                with suppress(OSError):  # an older one may do, and the model is still to be saved
                    watcher.write(run)
        raise Stopped(self.wanted)

    def on_end(self, run: Any) -> None:
        """The run is over."""
        self.running = False
        self.stopped = self.stopped or self.wanted is not None

"""What happened while training, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FIRST = ("epoch", "loss", "reconstruction")
LAST = ("validation_loss", "validation_squared_error", "learning_rate", "seconds")


@dataclass
class History:
    """One row per epoch: losses in nats per sample, seconds since the start, the learning rate.

    Parameters
    ----------
    rows : list of dict
    stopped : str
        Why training ended: ``"finished"``, ``"patience"``, ``"max_seconds"``, ``"interrupted"``, ``"diverged"``.
    best_epoch : int, or None
        The epoch whose weights were kept; ``None`` where neither a validation part nor a watcher chose one.
    notes : list of str
        What else is worth knowing, such as steps back after a divergence.

    >>> history = History([{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.0}])
    >>> history["loss"], len(history), history.columns
    ([2.0, 1.0], 2, ['epoch', 'loss'])
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = "finished"
    best_epoch: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The names of the columns: the epoch and the losses first, what it took last."""
        found = dict.fromkeys(name for row in self.rows for name in row)
        first, last = [name for name in FIRST if name in found], [name for name in LAST if name in found]
        return [*first, *sorted(found.keys() - {*first, *last}), *last]

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self.columns:
            raise KeyError(f"The history has no column {column!r}; it has {', '.join(self.columns)}.")
        return [row.get(column) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and ``pandas.DataFrame(history.rows)`` take them."""
        return {
            "rows": self.rows,
            "stopped": self.stopped,
            "best_epoch": self.best_epoch,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        """A table for people."""
        lines = [[f"{v:.5g}" if isinstance(v, float) else str(v) for v in map(row.get, self.columns)] for row in self]
        widths = [max(map(len, column)) for column in zip(self.columns, *lines, strict=True)]
        table = [self.columns, *lines]
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in table)

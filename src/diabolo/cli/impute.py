"""``diabolo impute``: data whose holes are filled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .flags import data_through_model

if TYPE_CHECKING:
    from ..estimators import Estimator
    from ..tasks.imputer import Imputer
    from .inputs import Rows
    from .results import Block


@click.command()
@data_through_model(
    "csv, tsv (also .gz), parquet, npy or npz; csv on standard output without it.",
    click.option(
        "--draws",
        type=click.IntRange(min=1),
        metavar="N",
        help="Fill the holes N times by chance, as likely as the model thinks, into N files: FILE-1, FILE-2, ...",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws."),
)
def impute(model: str, data: str, output: str, draws: int | None, seed: int, **options: Any) -> None:
    """Fill the missing cells of DATA.

    Cells that are there keep their values. MODEL is a file that `diabolo fit` wrote. Numbers are filled by
    their mean, everything else by its likeliest value; with --draws, by chance.
    """
    from .output import counted, say

    if draws is not None and output == "-":
        raise click.UsageError("--draws writes several files; name them with -o, as in -o whole.csv.")
    filling = Filling(seed)
    as_json = options.pop("as_json")
    places = [output] if draws is None else [numbered(output, turn + 1) for turn in range(draws)]
    for turn, place in enumerate(places):
        filling.start(None if draws is None else turn)
        last = place == places[-1]  # one object tells of all files
        send(model, data, place, filling, options | {"as_json": as_json and last}, places)
    if not options["dry_run"]:
        say(f"{counted(filling.filled, 'cell')} filled" + (f", {draws} times" if draws else "") + filling.left_over())


def send(model: str, data: str, place: str, filling: Filling, options: dict[str, Any], places: Sequence[str]) -> None:
    """Send the data through once."""
    from .results import send_through

    def facts() -> dict[str, Any]:
        return {"filled": filling.filled, "left": filling.left, "outputs": [at for at in places if at != "-"]}

    send_through("impute", model, data, place, filling, facts=facts, **options)


def numbered(output: str, number: int) -> str:
    """The path with a number before its suffix.

    >>> numbered("out/whole.csv.gz", 2)
    'out/whole-2.csv.gz'
    """
    path = Path(output)
    stem, dot, suffix = path.name.partition(".")
    return str(path.with_name(f"{stem}-{number}{dot}{suffix}"))


class Filling:
    """Fills the holes of one stretch of rows after the other, and counts them.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.made: Imputer | None = None
        self.turn: int | None = None
        self.filled = self.left = self.stretch = 0

    def start(self, turn: int | None) -> None:
        """Begin with the first stretch; ``None`` draws nothing."""
        self.turn, self.filled, self.left, self.stretch = turn, 0, 0, 0

    def left_over(self) -> str:
        """What could not be filled, in words."""
        from .output import counted

        return f"; {counted(self.left, 'cell')} of columns that held nothing at fit stay empty" if self.left else ""

    def __call__(self, model: Estimator, rows: Rows) -> Block:
        """The rows, whole."""
        from ..tasks.imputer import holes_of
        from ..training.seeding import mix

        seed = None if self.turn is None else mix(self.seed, self.turn, self.stretch)
        block, left = self.imputer(model, rows).fill_source(rows, seed)
        self.stretch += 1
        self.filled += int(holes_of(rows).sum()) - left
        self.left += left
        return block

    def imputer(self, model: Estimator, rows: Rows) -> Imputer:
        """What fills; before it draws, its errors are measured once, on cells of the data that are hidden for that."""
        from sklearn.frozen import FrozenEstimator

        from ..tasks.imputer import Imputer

        if self.made is None:
            self.made = Imputer(FrozenEstimator(model), random_state=self.seed)
            self.made.estimator_ = model
            if self.turn is not None:
                self.made.fit(rows.source)
        return self.made

"""``diabolo impute``: data whose holes are filled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .flags import data_through_model

if TYPE_CHECKING:
    import numpy as np

    from ..data.rows import Rows
    from ..estimators import Estimator
    from ..estimators.storage import Task
    from ..tasks.imputer import Imputer
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

    Cells that are there stay as they are, from text to text as they are spelled. MODEL is any model that `diabolo fit`
    wrote. Numbers are filled by their mean, everything else by its likeliest value; with --draws, by chance: as far
    around as errors were measured by `diabolo fit --imputer`, else on cells of DATA that are hidden for that.
    """
    from .inputs import open_task
    from .output import counted, say

    if draws is not None and output == "-":
        raise click.UsageError("--draws writes several files; name them with -o, as in -o whole.csv.")
    as_json = options.pop("as_json")
    places = [output] if draws is None else [numbered(output, turn + 1) for turn in range(draws)]
    check_places(places, model, data, options["force"])
    fitted = open_task(model, options["device"])
    filling = Filling(seed, fitted)
    for turn, place in enumerate(places):
        filling.start(None if draws is None else turn, is_text(place))
        last = place == places[-1]  # one object tells of all files
        send(model, data, place, filling, options | {"as_json": as_json and last}, places)
    if not options["dry_run"]:
        say(f"{counted(filling.filled, 'cell')} filled" + (f", {draws} times" if draws else "") + filling.left_over())


def check_places(places: Sequence[str], model: str, data: str, force: bool) -> None:
    """Refuse any place that cannot be written to before anything is read."""
    from .results import check_output

    for place in places:
        check_output(place, force, reads=(model, data))


def send(model: str, data: str, place: str, filling: Filling, options: dict[str, Any], places: Sequence[str]) -> None:
    """Send the data through once."""
    from .results import send_through

    def facts() -> dict[str, Any]:
        return {"filled": filling.filled, "left": filling.left, "outputs": [at for at in places if at != "-"]}

    send_through("impute", model, data, place, filling, opened=filling.model, facts=facts, **options)


def is_text(output: str) -> bool:
    """Whether results are written as text.

    >>> is_text("-"), is_text("whole.csv.gz"), is_text("whole.parquet")
    (True, True, False)
    """
    return output == "-" or output.lower().removesuffix(".gz").endswith((".csv", ".tsv"))


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
    fitted : Estimator, or Task around one
        An imputer fills as it was fitted.
    """

    def __init__(self, seed: int, fitted: Estimator | Task) -> None:
        from ..tasks.storage import Imputer, Task

        self.seed = seed
        self.made = fitted if isinstance(fitted, Imputer) else None
        self.model: Estimator = fitted.estimator_ if isinstance(fitted, Task) else fitted
        self.turn: int | None = None
        self.as_text = False
        self.filled = self.left = self.stretch = 0

    def start(self, turn: int | None, as_text: bool) -> None:
        """Begin with the first stretch; ``None`` draws nothing."""
        self.turn, self.as_text, self.filled, self.left, self.stretch = turn, as_text, 0, 0, 0

    def left_over(self) -> str:
        """What could not be filled, in words."""
        from .output import counted

        return f"; {counted(self.left, 'cell')} of columns that held nothing at fit stay empty" if self.left else ""

    def __call__(self, model: Estimator, rows: Rows) -> Block:
        """The rows, whole."""
        from ..tasks.holes import holes_of
        from ..training.seeding import mix

        seed = None if self.turn is None else mix(self.seed, self.turn, self.stretch)
        block, left = self.imputer(model, rows).fill_source(rows, seed)
        self.stretch += 1
        self.filled += int(holes_of(rows).sum()) - left
        self.left += left
        return with_spelling(rows, block) if self.as_text else block

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


def with_spelling(rows: Rows, block: Block) -> Block:
    """A block of filled rows whose cells are text where the data spells them, so that nothing but holes changes."""
    import numpy as np

    if isinstance(block, list) or (isinstance(block, np.ndarray) and block.ndim != 2):
        return block
    columns = block if isinstance(block, dict) else {f"column_{at}": block[:, at] for at in range(block.shape[1])}
    spelled = [rows.spelled(at, 0, rows.rows) for at in range(len(columns))]
    if any(column is None for column in spelled):
        return block
    return {
        name: spelled_column(filled, text, rows.column(at, 0, rows.rows).known)
        for at, ((name, filled), text) in enumerate(zip(columns.items(), spelled, strict=True))
        if text is not None
    }


def spelled_column(filled: np.ndarray, text: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The text of known cells, and what fills the others, as known cells of the same value are spelled.

    >>> import numpy as np
    >>> spelled_column(np.array([1.5, 1.5, 2.0]), np.array(["1.50", "", ""], object), np.array([True, False, False]))
    array(['1.50', '1.50', 2.0], dtype=object)
    """
    whole = text.copy()
    usual = dict(zip(filled[known].tolist()[::-1], text[known].tolist()[::-1], strict=True))
    for at in (~known).nonzero()[0].tolist():
        value = filled[at : at + 1].tolist()[0]
        whole[at] = text[at] if value is None else usual.get(value, value)
    return whole

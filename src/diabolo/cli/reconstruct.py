"""``diabolo reconstruct``: data on the round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .flags import data_through_model

if TYPE_CHECKING:
    from ..data.rows import Rows
    from ..estimators import Estimator
    from .results import Block


@click.command()
@data_through_model(
    "csv, tsv (also .gz), parquet, npy, npz, ts for sequences, or a folder for png files; csv on standard output "
    "without it.",
)
def reconstruct(model: str, data: str, output: str, **options: Any) -> None:
    """Write what comes back of each row of DATA.

    In the units, types and column names of DATA, with missing cells filled in. MODEL is a file that `diabolo fit`
    wrote. Memory does not grow with the rows.
    """
    from .results import send_through

    send_through("reconstruct", model, data, output, come_back, **options)


def come_back(model: Estimator, rows: Rows) -> Block:
    """What comes back: columns in their own types where they have names, else an array."""
    import numpy as np

    from ..data.tables import Table

    modality = model.modality_
    if not isinstance(modality, Table):
        block: Block = model.reconstruct(rows)
        return block
    made = [modality.decoded(model.expected(trip)) for trip in model.round_trips(rows)]
    return {name: np.concatenate([columns[name] for columns in made]) for name in made[0]}

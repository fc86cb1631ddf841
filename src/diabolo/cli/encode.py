"""``diabolo encode``: data to codes."""

from __future__ import annotations

from typing import Any

import click

from .flags import data_through_model


@click.command()
@data_through_model("csv, tsv (also .gz), parquet, npy or npz; csv on standard output without it.")
def encode(model: str, data: str, output: str, **options: Any) -> None:
    """Write the code of each row of DATA.

    MODEL is a file that `diabolo fit` wrote; a missing one counts as a bad model file (exit code 4), missing DATA as
    bad data (3). The columns are called as scikit-learn does: vae0, vae1, ...; pictures from files come with their
    names. Memory does not grow with the rows.
    """
    from .results import send_through

    send_through(
        "encode",
        model,
        data,
        output,
        lambda fitted, rows: fitted.transform(rows),
        columns=lambda fitted: [str(name) for name in fitted.get_feature_names_out()],
        **options,
    )

"""The command line: one file per command, flags from the estimators' fields.

Neither torch nor scikit-learn is imported before a command has something to compute.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from .. import __version__
from .errors import Failing

#: The commands, in the order of their use; each is a module here, with a command of the same name.
COMMANDS = (
    "fit",
    "encode",
    "reconstruct",
    "score",
    "threshold",
    "impute",
    "sample",
    "explain",
    "report",
    "info",
    "verify",
)


class Commands(Failing):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f".{cmd_name}", __name__), cmd_name)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=(
        "Exit codes: 0 all well, 1 a fault in diabolo, 2 wrong usage, 3 bad input data, 4 a missing, damaged, changed "
        "or too new model file, 5 a check failed, 6 no disk or memory left, 7 training diverged, 130 or 143 "
        "interrupted after saving."
    ),
)
@click.version_option(__version__, prog_name="diabolo")
def group() -> None:
    """Autoencoders for every job.

    Learn a short code for your data, and what it can tell:

    \b
      diabolo fit digits -o out/model.safetensors --seed 0
      diabolo encode out/model.safetensors digits -o out/codes.csv
      diabolo report out/model.safetensors digits -o out/report.html
    """


def main(args: list[str] | None = None) -> Any:
    """Run the command line; the entry point ``diabolo``."""
    return group.main(args=args, prog_name="diabolo")

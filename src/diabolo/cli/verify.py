"""``diabolo verify``: is every bit of a model file as it was written?"""

from __future__ import annotations

import click

from ..core.files import verify_container
from .errors import unreadable_model
from .flags import json_flag, model_argument, traceback_flag
from .info import digest_of
from .output import emit


@click.command()
@model_argument
@json_flag
@traceback_flag
def verify(model: str, as_json: bool) -> None:
    """Check every byte of MODEL.

    All of it is read and compared with its digest, and nothing of it is used. Exit code 0 if the file is as it was
    written, 4 if it is damaged, changed, too new or missing.
    """
    try:
        description = verify_container(model)
    except OSError as error:
        raise unreadable_model(model, error) from error
    digest = digest_of(model)
    if as_json:
        emit("verify", {"file": model, "kind": description.get("kind"), "whole": True, "sha256": digest})
        return
    click.echo(f"{model}: whole, SHA-256 {digest}")

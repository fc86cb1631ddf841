"""``diabolo verify``: is every bit of a model file as it was written?"""

from __future__ import annotations

import click

from ..core.errors import ModelFileError
from ..core.files import verify_container
from .flags import json_flag, model_argument, traceback_flag
from .info import digest_of
from .output import emit


@click.command()
@model_argument
@json_flag
@traceback_flag
def verify(model: str, as_json: bool) -> None:
    """Check every byte of MODEL against its digest, without using any of it.

    Exit code 0 if all are as they were written, 4 if the file is damaged, changed, too new or missing.
    """
    try:
        description = verify_container(model)
    except OSError as error:
        raise ModelFileError(f"{model}: {error.strerror or error}. Give a model file that can be read.") from error
    digest = digest_of(model)
    if as_json:
        emit("verify", {"file": model, "kind": description.get("kind"), "whole": True, "sha256": digest})
        return
    click.echo(f"{model}: whole, SHA-256 {digest}")

"""What the tests of the command line share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click.testing
import numpy as np
import pytest

from diabolo.cli import group

Result = click.testing.Result
Call = Callable[..., Result]

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
# A child of a job in the background inherits that Ctrl-C is ignored; these tests are about a terminal.
HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
RUN = HEARING + "import sys; from diabolo.cli import main; main(sys.argv[1:])"


@pytest.fixture(scope="session")
def call() -> Call:
    """Run a command in this process."""

    def run(*words: object, given: bytes | None = None) -> Result:
        return click.testing.CliRunner().invoke(group, [str(word) for word in words], input=given, prog_name="diabolo")

    return run


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a command as a process of its own."""

    def run(*words: object, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, text=True, env=ENVIRONMENT, **pipes)

    return run


@pytest.fixture(scope="session")
def picture_model(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """A model of the digits."""
    path = tmp_path_factory.mktemp("pictures") / "model.safetensors"
    result = call("fit", "digits", "-o", path, "-p", "vae", "--seed", 0, "--epochs", 2, "--code-size", 3)
    assert result.exit_code == 0, result.stderr
    return path


@pytest.fixture(scope="session")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv file with whole numbers, floats, a missing cell and a column of words."""
    generator = np.random.default_rng(0)
    hidden = generator.normal(size=(60, 2))
    rows = zip((40 + 9 * hidden[:, 0]).round().astype(int), 170 + hidden @ [5, 5], strict=True)
    lines = [f"{age},{'' if at == 3 else repr(float(height))},{'ab'[at % 2]}" for at, (age, height) in enumerate(rows)]
    path = tmp_path_factory.mktemp("tables") / "people.csv"
    path.write_text("\n".join(["age,height,kind", *lines]) + "\n")
    return path


@pytest.fixture(scope="session")
def table_model(table_file: Path, call: Call) -> Path:
    """A model of the table."""
    path = table_file.with_name("people.safetensors")
    words = ["--label", "kind", "--code-size", 1, "--epochs", 2, "--seed", 0]
    result = call("fit", table_file, "-o", path, *words)
    assert result.exit_code == 0, result.stderr
    return path

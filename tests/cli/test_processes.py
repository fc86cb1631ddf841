"""Real processes: what they import, how long they take, how they end."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diabolo

from .conftest import ENVIRONMENT

LIGHT = """
import json, sys
from diabolo.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        print(words, end.code, file=sys.stderr)
    heavy = {"torch", "sklearn", "numpy", "narwhals", "scipy"} & set(sys.modules)
    assert not heavy, (words, heavy)
"""


def test_help_info_verify_and_errors_of_usage_import_nothing_heavy(picture_model: Path) -> None:
    commands = [
        ["--help"],
        ["--version"],
        *(
            [command, "--help"]
            for command in ("fit", "encode", "reconstruct", "score", "explain", "report", "info", "verify")
        ),
        ["info", str(picture_model)],
        ["verify", str(picture_model)],
        ["frobnicate"],
        ["encode"],
        ["fit", "digits"],
        ["fit", "digits", "-o", str(picture_model)],
        ["fit", "digits", "-o", "m", "--epochs", "0"],
        ["fit", "digits", "-o", "m", "--noise", "1"],
        ["fit", "digits", "-o", "m", "--architecture", "mpl"],
        ["fit", "digits", "-o", "m", "--set", "hidden=3"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, json.dumps(commands)], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    ends = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert [int(line.rsplit(" ", 1)[1]) for line in ends] == [0] * (len(commands) - 8) + [2] * 8


@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"]])
def test_help_is_there_at_once(words: list[str]) -> None:
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "diabolo", *words], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(seconds) < 0.3  # of the processor, so that others at work count little; 0.1 on an idle machine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_best_model_so_far(
    number: signal.Signals, tmp_path: Path, start: Callable[..., Any]
) -> None:
    model, history = tmp_path / "m.safetensors", tmp_path / "m.safetensors.history.jsonl"
    process = start("fit", "digits", "-o", model, "--epochs", 100_000, "--patience", 100_000, "--seed", 0, "--json")
    try:
        wait_for(lambda: process.poll() is not None or (history.exists() and history.read_text().count("\n") >= 2))
        process.send_signal(number)
        results, words = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number, words
    told = json.loads(results)
    assert (told["schema"], told["stopped"], told["saved"]) == (1, "interrupted", str(model))
    assert f"are in {model}" in words
    assert "Go on with: diabolo fit digits" in words
    fitted = diabolo.load(model)
    assert fitted.history_.stopped == "interrupted"
    assert len(fitted.history_) == told["epochs_done"] >= 2
    assert fitted.transform("digits").shape == (1797, 8)
    assert Path(f"{model}.checkpoint").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_reader_that_has_had_enough_is_no_error(start: Callable[..., Any], picture_model: Path) -> None:
    process = start("score", picture_model, "digits")
    process.stdout.close()
    words = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert words == ""
    process.stderr.close()


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "diabolo", "--version"], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert done.stdout == f"diabolo, version {diabolo.__version__}\n"


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)

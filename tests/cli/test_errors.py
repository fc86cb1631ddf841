"""Exit codes, and one readable paragraph for each thing that goes wrong."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import diabolo
from diabolo.cli import watching
from diabolo.cli.errors import Code
from diabolo.data.writers import Writer

Call = Callable[..., Any]
FAST = ("--epochs", 2, "--seed", 0, "--code-size", 2)


def said(result: Any) -> str:
    """The last line on standard error; nothing else may have come but usage and the plan."""
    assert "Traceback" not in result.stderr
    return str(result.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["fit", "no-such.csv", "-o", "m"], Code.DATA),
        (["fit", "digitz", "-o", "m"], Code.DATA),
        (["fit", "empty.csv", "-o", "m"], Code.DATA),
        (["fit", "words.csv", "-o", "m"], Code.DATA),
        (["fit", "infinite.npy", "-o", "m"], Code.DATA),
        (["fit", "digits"], Code.USAGE),
        (["fit", "digits", "-o", "."], Code.USAGE),
        (["encode", "MODEL", "no-such.npy"], Code.DATA),
        (["encode", "MODEL", "wide.npy"], Code.DATA),
        (["encode", "MODEL", "digits", "-o", "codes.xyz"], Code.USAGE),
        (["encode", "MODEL", "digits", "--json"], Code.USAGE),
        (["encode", "MODEL"], Code.USAGE),
        (["encode", "no-such-model", "digits"], Code.MODEL),
        (["encode", "wide.npy", "digits"], Code.MODEL),
        (["info", "no-such-model"], Code.MODEL),
        (["verify", "no-such-model"], Code.MODEL),
        (["verify", "words.csv"], Code.MODEL),
        (["frobnicate"], Code.USAGE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_mistake_has_its_code_and_one_line(
    words: list[str],
    code: Code,
    call: Call,
    tmp_path: Path,
    picture_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").write_text("")
    Path("words.csv").write_text("a,b\n1,x\n2,1\n3,2\n4,3\n")
    np.save("infinite.npy", np.array([[1.0, np.inf]]))
    np.save("wide.npy", np.zeros((3, 5)))
    result = call(*[str(picture_model) if word == "MODEL" else word for word in words])
    assert result.exit_code == code
    assert said(result).startswith("Error: ")
    assert result.stdout == ""
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Code.SPACE, "No space left"),
        (MemoryError("64 TB"), Code.SPACE, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 64 TB"), Code.SPACE, "not enough memory"),
        (PermissionError(errno.EACCES, "Permission denied", "there"), Code.USAGE, "there: Permission denied"),
        (diabolo.MissingPackageError("pyarrow", "parquet", "writing"), Code.USAGE, "pip install 'diabolo[parquet]'"),
        (KeyError("surprise"), Code.BUG, "--traceback"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_cannot_be_foreseen_has_a_code_too(
    error: Exception, code: Code, words: str, call: Call, tmp_path: Path, picture_model: Path, monkeypatch: Any
) -> None:
    def fail(self: Writer, *args: Any) -> None:
        raise error

    monkeypatch.setattr(Writer, "write", fail)
    command = ("encode", picture_model, "digits", "-o", tmp_path / "c.csv")
    result = call(*command)
    assert result.exit_code == code
    assert words in said(result)
    assert list(tmp_path.iterdir()) == []
    result = call(*command, "--traceback")
    assert result.exit_code == code
    assert "Traceback" in result.stderr


def test_divergence_saves_the_last_good_model_beside(tmp_path: Path, call: Call, monkeypatch: Any) -> None:
    def poison(self: watching.Brake, run: Any) -> None:
        if run.epoch == 1:
            with torch.no_grad():
                next(run.network.parameters()).fill_(float("nan"))

    monkeypatch.setattr(watching.Brake, "on_step", poison)
    result = call("fit", "digits", "-o", tmp_path / "m.safetensors", *FAST, "--json")
    assert result.exit_code == Code.DIVERGED
    told = json.loads(result.stdout)
    assert (told["stopped"], told["epochs_done"]) == ("diverged", 1)
    assert told["saved"] == str(tmp_path / "m.last-good.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
    assert len(diabolo.load(tmp_path / "m.last-good.safetensors").history_) == 1


def test_divergence_at_once_leaves_nothing(tmp_path: Path, call: Call) -> None:
    result = call("fit", "digits", "-o", tmp_path / "m.safetensors", *FAST, "--learning-rate", "1e30", "--json")
    assert result.exit_code == Code.DIVERGED
    assert "diverged" in said(result)
    assert json.loads(result.stdout)["saved"] is None
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize("step", [1, 9, 12])
def test_an_interrupted_run_resumes_to_the_same_bits(step: int, tmp_path: Path, call: Call, monkeypatch: Any) -> None:
    whole = call("fit", "digits", "-o", tmp_path / "whole", *FAST)
    assert whole.exit_code == 0, whole.stderr
    original = watching.Brake.on_step

    def pull(self: watching.Brake, run: Any) -> None:
        if run.epoch * run.batches.steps + run.step == step:
            self.pull(15, None)
        original(self, run)

    command = ("fit", "digits", "-o", tmp_path / "m", "--epochs", 2, "--code-size", 2)
    with monkeypatch.context() as patch:
        patch.setattr(watching.Brake, "on_step", pull)
        result = call(*command, "--seed", 0)
    assert result.exit_code == Code.TERMINATED
    assert "--resume" in said(result)
    assert diabolo.load(tmp_path / "m").history_.stopped == "interrupted"
    again = call(*command)
    assert again.exit_code == Code.USAGE
    assert "--resume" in said(again)
    other = call(*command, "--resume", "--batch-size", 64)
    assert other.exit_code == Code.MODEL
    resumed = call(*command, "--resume")  # with the seed of the run that it goes on with
    assert resumed.exit_code == 0, resumed.stderr
    assert not (tmp_path / "m.checkpoint").exists()
    weights, expected = (diabolo.load(tmp_path / name).network_.state_dict() for name in ("m", "whole"))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert call(*command, "--resume").exit_code == Code.USAGE


def test_force_begins_anew(tmp_path: Path, call: Call) -> None:
    (tmp_path / "m.checkpoint").write_text("of another run")
    assert call("fit", "digits", "-o", tmp_path / "m", *FAST).exit_code == Code.USAGE
    assert call("fit", "digits", "-o", tmp_path / "m", *FAST, "--resume").exit_code == Code.MODEL
    assert call("fit", "digits", "-o", tmp_path / "m", *FAST, "--force").exit_code == 0
    assert not (tmp_path / "m.checkpoint").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named(start: Callable[..., Any], picture_model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("encode", picture_model, "digits", stdout=full)
        _, words = process.communicate(timeout=60)
    assert process.returncode == Code.SPACE
    assert words.startswith("Error: No space left on device")

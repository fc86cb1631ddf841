"""The classic experiments run, small, each within seconds, and write a page that asks nobody for anything."""

from __future__ import annotations

import importlib
import re
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "page")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_and_shows_its_figures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    page = importlib.import_module("page")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--small", "-o", str(tmp_path / "page.html")])
    started = time.process_time()
    example = importlib.import_module(name)
    needed = getattr(example, "FOLDER", FOLDER)
    if not needed.is_dir():
        pytest.skip(f"{needed} is not there; set DIABOLO_DATA")
    page.run(example.experiment)
    assert time.process_time() - started < 20  # ten on an idle machine
    printed = capsys.readouterr().out
    assert re.search(r"\d\.\d", printed)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" in text or "<svg" in text or "<table" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "nan" not in printed.lower()

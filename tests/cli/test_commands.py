"""What each command reads, writes and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import diabolo
import diabolo.report
from diabolo.data.files import open_path

Call = Callable[..., Any]
FAST = ("--epochs", 1, "--seed", 0, "--code-size", 2)


def test_fit_is_what_python_does(picture_model: Path) -> None:
    pictures = load_digits().images.astype(np.uint8)
    again = diabolo.load(picture_model)
    assert again.get_params()["code_size"] == 3
    ours = diabolo.VAE(code_size=3, epochs=2, random_state=0).fit("digits")
    assert np.array_equal(ours.transform(pictures), again.transform(pictures))


def test_fit_tells_the_plan_first_and_the_result_last(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "made" / "for it" / "m.safetensors"
    result = call("fit", "-o", path, *FAST)
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["data", "model", "training", "memory", "files"]
    for words in ("1,797 rows of 8 x 8", "pictures", "no missing cells", "MLP(hidden=(256, 128)", "seed 0", "180 of"):
        assert words in result.stderr
    assert lines[-2].startswith("R2 ")
    assert str(path) in lines[-1]
    assert result.stdout == ""
    assert sorted(found.name for found in path.parent.iterdir()) == ["m.safetensors", "m.safetensors.history.jsonl"]
    history = [json.loads(line) for line in Path(f"{path}.history.jsonl").read_text().splitlines()]
    assert all(row.pop("seconds") >= 0 for row in history)
    assert history == diabolo.load(path).history_.rows


def test_the_score_is_on_held_out_rows(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "m.safetensors"
    told = json.loads(call("fit", "digits", "-o", path, *FAST, "--json").stdout)
    model = diabolo.VAE(code_size=2)  # only for its plan: which rows are held out depends on the seed alone
    held_out = model.set_params(random_state=0, epochs=1).plan("digits").validation.subset.numpy()
    pictures = load_digits().images.astype(np.uint8)
    assert told["score_on"] == "validation"
    assert told["score"] == pytest.approx(diabolo.load(path).score(pictures[held_out]), abs=1e-6)


def test_a_closed_form_is_scored_on_all_rows_and_has_a_history(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "m.safetensors"
    result = call("fit", "digits", "-o", path, "-p", "linear", "--code-size", 2, "--json")
    told = json.loads(result.stdout)
    assert (told["score_on"], told["closed_form"]) == ("all", True)
    assert "in closed form" in result.stderr
    assert told["score"] == pytest.approx(diabolo.load(path).score("digits"), abs=1e-9)
    assert len(Path(f"{path}.history.jsonl").read_text().splitlines()) == 1


def test_dry_run_writes_nothing(tmp_path: Path, call: Call, picture_model: Path) -> None:
    result = call("fit", "digits", "-o", tmp_path / "sub" / "m", "--dry-run", "--json", *FAST)
    told = json.loads(result.stdout)
    assert (told["schema"], told["dry_run"], told["rows"], told["shape"]) == (1, True, 1797, [8, 8])
    assert told["parameters"] > 0
    assert told["memory_bytes"] > 0
    for command in ("encode", "reconstruct", "score", "explain"):
        result = call(command, picture_model, "digits", "-o", tmp_path / "sub" / "x.csv", "--dry-run", "--json")
        assert json.loads(result.stdout)["dry_run"] is True
        assert str(tmp_path / "sub" / "x.csv") in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_by_force(tmp_path: Path, call: Call, picture_model: Path) -> None:
    model = tmp_path / "m.safetensors"
    model.write_text("mine")
    for path, words in (
        (model, ("fit", "no-such-data", "-o", model)),
        (tmp_path / "c.csv", ("encode", picture_model, "digits", "-o", tmp_path / "c.csv")),
        (tmp_path / "r.html", ("report", picture_model, "digits", "-o", tmp_path / "r.html")),
    ):
        path.write_text("mine")
        result = call(*words)
        assert result.exit_code == 2
        assert f"{path} is there already" in result.stderr
        assert path.read_text() == "mine"
    assert call("fit", "digits", "-o", model, "--force", *FAST).exit_code == 0
    assert diabolo.load(model).code_size == 2


def test_encode_writes_what_transform_gives(tmp_path: Path, call: Call, picture_model: Path) -> None:
    model = diabolo.load(picture_model)
    codes = model.transform("digits")
    result = call("encode", picture_model, "digits")
    header, *lines = result.stdout.splitlines()
    assert header.split(",") == list(model.get_feature_names_out())
    assert np.array_equal(np.array([line.split(",") for line in lines], dtype=np.float32), codes)
    for name in ("c.npy", "c.csv.gz", "c.tsv"):
        told = json.loads(call("encode", picture_model, "digits", "-o", tmp_path / name, "--json").stdout)
        assert (told["rows"], told["shape"]) == (1797, [3])
        source = open_path(tmp_path / name)
        assert np.array_equal(source.read(0, source.rows).astype(np.float32), codes)


def test_reconstruct_writes_pictures_as_pictures(tmp_path: Path, call: Call, picture_model: Path) -> None:
    back = diabolo.load(picture_model).reconstruct("digits")
    assert call("reconstruct", picture_model, "digits", "-o", tmp_path / "b.npy").exit_code == 0
    assert call("reconstruct", picture_model, "digits", "-o", tmp_path / "pictures").exit_code == 0
    assert np.array_equal(np.load(tmp_path / "b.npy"), back)
    source = open_path(tmp_path / "pictures")
    assert np.array_equal(source.read(0, source.rows), back)
    assert call("encode", picture_model, tmp_path / "pictures", "-o", tmp_path / "c.csv").exit_code == 0
    assert (tmp_path / "c.csv").read_text().splitlines()[1].startswith("000000.png,")


def test_a_table_comes_back_with_names_and_types(
    tmp_path: Path, call: Call, table_model: Path, table_file: Path
) -> None:
    result = call("reconstruct", table_model, table_file, "--label", "kind")
    header, *lines = result.stdout.splitlines()
    assert header == "age,height"
    assert len(lines) == 60
    for line in lines:
        age, height = line.split(",")
        assert str(int(age)) == age
        assert np.isfinite(float(height))
    given = call("reconstruct", table_model, "-", "--label", "kind", given=table_file.read_bytes())
    assert given.stdout == result.stdout


def test_score_tells_likelihood_and_error(tmp_path: Path, call: Call, picture_model: Path) -> None:
    model = diabolo.load(picture_model)
    told = json.loads(call("score", picture_model, "digits", "-o", tmp_path / "s.csv", "--json").stdout)
    header, *lines = (tmp_path / "s.csv").read_text().splitlines()
    assert header == "log_likelihood,squared_error"
    values = np.array([line.split(",") for line in lines], dtype=float)
    assert np.array_equal(values[:, 0], model.score_samples("digits"))
    assert np.array_equal(values[:, 1], model.reconstruction_error("digits"))
    assert told["means"]["log_likelihood"] == pytest.approx(values[:, 0].mean())


def test_results_do_not_depend_on_the_stretches(
    tmp_path: Path, call: Call, picture_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = call("score", picture_model, "digits").stdout
    monkeypatch.setattr("diabolo.data.scaling.BLOCK_CELLS", 64 * 100)
    assert call("score", picture_model, "digits").stdout == whole


def test_labels_are_a_column_or_a_file(tmp_path: Path, call: Call, table_file: Path) -> None:
    (tmp_path / "labels.csv").write_text("\n".join(map(str, range(1797))) + "\n")
    assert call("fit", "digits", "--label", tmp_path / "labels.csv", "--dry-run").exit_code == 0
    (tmp_path / "labels.csv").write_text("1\n2\n")
    assert call("fit", "digits", "--label", tmp_path / "labels.csv", "--dry-run").exit_code == 3
    assert call("fit", table_file, "--label", "kind", "--dry-run").exit_code == 0


def test_what_columns_are_taken_for_is_told_and_can_be_changed(call: Call, table_file: Path) -> None:
    told = call("fit", table_file, "--dry-run")
    assert told.exit_code == 0
    assert "kind" in json.loads(call("fit", table_file, "--dry-run", "--json").stdout)["columns"]
    assert "categorical" in told.stderr
    named = json.loads(call("fit", table_file, "--types", "kind=ordinal", "--dry-run", "--json").stdout)
    assert named["columns"]["kind"].startswith("ordinal")
    assert call("fit", table_file, "--types", "kind=number", "--dry-run").exit_code == 2
    assert call("fit", table_file, "--types", "kind=,x", "--dry-run").exit_code == 2


def test_info_tells_what_is_in_the_header(call: Call, picture_model: Path) -> None:
    told = json.loads(call("info", picture_model, "--json").stdout)
    model = diabolo.load(picture_model)
    assert (told["schema"], told["command"], told["estimator"]) == (1, "info", "VAE")
    assert told["changed"] == {"code_size": 3, "epochs": 2}
    assert (told["modality"], told["shape"], told["seed"]) == ("images", [8, 8], 0)
    assert told["last"] == model.history_.rows[-1]
    assert told["bytes"] == picture_model.stat().st_size
    assert told["weights"] == sum(weight.numel() for weight in model.network_.parameters())
    words = call("info", picture_model).stdout
    for said in ("VAE(code_size=3, epochs=2)", "1,797 rows of 8 x 8", told["sha256"], told["versions"]["torch"]):
        assert said in words


def test_verify_finds_a_single_bit(tmp_path: Path, call: Call, picture_model: Path) -> None:
    result = call("verify", picture_model)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert json.loads(call("verify", picture_model, "--json").stdout)["whole"] is True
    data = bytearray(picture_model.read_bytes())
    data[-100] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(data)
    for command in ("verify", "encode"):
        result = call(command, tmp_path / "bad.safetensors", *["digits"][: command == "encode"])
        assert result.exit_code == 4
        assert "digest" in result.stderr
        assert result.stdout == ""


def test_report_writes_a_page_and_its_numbers(
    tmp_path: Path, call: Call, picture_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SimpleNamespace()

    def write_report(model: Any, data: Any, path: Path, *, labels: Any = None, json_path: Any = None) -> dict[str, Any]:
        given.labels, given.rows = labels, data.rows
        path.write_text("<html>")
        json_path.write_text("{}")
        return {"headline": {"sentence": "It won.", "r2": float("nan")}}

    monkeypatch.setattr(diabolo.report, "write_report", write_report, raising=False)
    result = call("report", picture_model, "digits", "-o", tmp_path / "new" / "r.html", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["headline"] == {"sentence": "It won.", "r2": None}
    assert "It won." in result.stderr
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["r.html", "r.json"]
    assert (given.rows, len(given.labels)) == (1797, 1797)
    assert call("report", picture_model, "digits", "-o", tmp_path / "r.pdf").exit_code == 2


@pytest.mark.parametrize(
    "command", ["fit", "encode", "reconstruct", "score", "threshold", "explain", "report", "info", "verify"]
)
def test_every_command_explains_itself(command: str, call: Call) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    for flag in ("--json", "--traceback"):
        assert flag in result.stdout
    if command not in ("info", "verify"):
        assert "--dry-run" in result.stdout
        assert "--force" in result.stdout

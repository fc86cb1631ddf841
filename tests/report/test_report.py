"""Laws of the report: it says the truth in its first line, needs nothing from anywhere, and is always the same."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import load_iris

from diabolo import (
    VAE,
    VQVAE,
    Autoencoder,
    DataError,
    DenoisingAutoencoder,
    LinearAutoencoder,
    ShapeError,
    SparseAutoencoder,
    load,
)
from diabolo.data.memory import ArraySource
from diabolo.diagnosis import codebook_usage, sparsity, variation
from diabolo.estimators.base import Estimator
from diabolo.report import write_report
from diabolo.report.words import number

KEYS = {
    "schema",
    "diabolo",
    "headline",
    "totals",
    "history",
    "samples",
    "cells",
    "codes",
    "map",
    "labels",
    "data",
    "model",
}
RECIPES: dict[str, Estimator] = {
    "plain": Autoencoder(code_size=3, epochs=3, random_state=0),
    "one number": Autoencoder(code_size=1, epochs=2, random_state=0),
    "one epoch": Autoencoder(code_size=2, epochs=1, random_state=0),
    "nothing held out": Autoencoder(code_size=2, epochs=2, validation=0.0, random_state=0),
    "linear": LinearAutoencoder(code_size=2, random_state=0),
    "denoising": DenoisingAutoencoder(code_size=2, epochs=2, random_state=0),
    "variational": VAE(code_size=4, epochs=3, random_state=0),
}


class Reader(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    @property
    def words(self) -> str:
        """All text that is shown."""
        shown = [" ".join(parts) for tag, parts in self.texts.items() if tag not in ("script", "style")]
        return " ".join(" ".join(shown).split())


def read(page: str) -> Reader:
    """A page as a browser reads it; every element is closed in its turn."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def write(
    model: Estimator, data: Any, folder: Path, name: str = "report", **options: Any
) -> tuple[dict[str, Any], str]:
    """Write a report and read it back, with what must always hold."""
    numbers = write_report(model, data, folder / f"{name}.html", **options)
    page = (folder / f"{name}.html").read_text(encoding="utf-8")
    assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) == numbers
    assert set(numbers) == KEYS
    assert numbers["schema"] == 1
    check_alone(page)
    reader = read(page)
    assert numbers["headline"]["sentence"] in reader.texts["h1"]
    for value in ("autoencoder_squared_error", "pca_squared_error", "mean_squared_error"):
        assert number(numbers["headline"][value]) in reader.words
    shown = numbers["totals"]["judged_rows" if numbers["headline"]["rows"] == "held out" else "all_rows"]
    for value in ("r2", "squared_error", "nats"):
        assert number(shown[value]) in reader.texts["dd"]
    assert numbers["data"]["sha256"] in reader.words
    assert numbers["model"]["sha256"] in reader.words
    assert "nan" not in reader.words.lower().split()
    return numbers, page


def check_alone(page: str) -> None:
    """The page asks for nothing, and only its own script may run."""
    reader = read(page)
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert [a.get("type") for tag, a in reader.tags if tag == "script"] == ["application/json", None]
    for tag, attributes in reader.tags:
        assert tag not in ("iframe", "link", "object", "embed", "base", "form", "a", "video", "audio")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "xlink:href", "data"):
                assert (value or "").startswith("data:image/png;base64,")
    style = " ".join(reader.texts["style"])
    assert "url(" not in style
    assert "@import" not in style
    assert "://" not in style + scripts[0]


def rows(of: int = 120, seed: int = 0, columns: int = 6) -> np.ndarray:
    """A table of two hidden numbers."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(of, 2)) @ draw.normal(size=(2, columns)) + 0.1 * draw.normal(size=(of, columns))


def color_pictures() -> np.ndarray:
    """Small pictures of three channels, channels first."""
    draw = np.random.default_rng(0)
    return (draw.random((40, 3, 1, 1)) * 200 + draw.random((40, 3, 9, 7)) * 55).astype(np.uint8)


def kinds_of_data() -> dict[str, Any]:
    """One of every kind, and the awkward ones."""
    holes = rows()
    holes[::7, 2] = np.nan
    holes[5] = np.nan
    constant = rows()
    constant[:, 1] = 3.0
    iris = load_iris(as_frame=True).data.astype({"petal width (cm)": int})
    return {
        "array": rows(),
        "holes": holes,
        "an empty column": np.where(np.arange(6) == 4, np.nan, rows()),
        "constant column": constant,
        "all the same": np.ones((30, 4)),
        "pandas": iris,
        "polars": pl.DataFrame({"a": rows()[:, 0], "b": rows()[:, 1], "c": rows()[:, 2]}),
        "pictures": (np.random.default_rng(0).random((60, 8, 8)) * 255).astype(np.uint8),
        "float pictures": np.random.default_rng(0).normal(size=(30, 5, 6)),
        "color": color_pictures(),
        "wide": rows(columns=2000),
        "one row": rows(1),
        "two rows": rows(2),
        "three rows": rows(3),
        "eleven rows": rows(11),
    }


DATA = kinds_of_data()


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("kind", ["array", "pictures", "holes"])
def test_every_preset_has_a_report(name: str, kind: str, tmp_path: Path) -> None:
    model = RECIPES[name].__sklearn_clone__().fit(DATA[kind])
    numbers, page = write(model, DATA[kind], tmp_path)
    assert numbers["totals"]["all_rows"]["r2"] == pytest.approx(model.score(DATA[kind]), abs=1e-6)
    mean_nats = -float(model.score_samples(DATA[kind]).mean())
    assert numbers["totals"]["all_rows"]["nats"] == pytest.approx(mean_nats, rel=1e-5, abs=1e-4)
    assert numbers["totals"]["weights"] == sum(weight.numel() for weight in model.network_.parameters())
    assert (numbers["codes"]["nats"] is None) == (name != "variational")
    assert len(numbers["codes"]["variance"]) == numbers["totals"]["code_size"]
    assert (numbers["map"]["tsne"] is None) == (name == "one number")
    assert page.count("<h2>") == 7


@pytest.mark.parametrize("kind", DATA)
def test_every_kind_of_data_has_a_report(kind: str, tmp_path: Path) -> None:
    data = DATA[kind]
    numbers, page = write(Autoencoder(code_size=2, epochs=2, random_state=0).fit(data), data, tmp_path)
    assert numbers["data"]["rows"] == len(data)
    missing = int(pd.isna(np.asarray(data)).sum())
    assert numbers["data"]["missing"] == missing
    shown = [row for group in numbers["samples"].values() for row in group]
    assert all(0 <= row["row"] < len(data) and row["squared_error"] is not None for row in shown)
    if {"best", "worst"} <= set(numbers["samples"]):
        errors = [[row["squared_error"] for row in numbers["samples"][g]] for g in ("best", "typical", "worst")]
        assert errors[0] == sorted(errors[0])
        assert errors[2] == sorted(errors[2], reverse=True)
        assert max(errors[0]) <= min(errors[2])
    assert len(page) < 1_000_000


# The first line


def test_held_out_rows_are_those_of_the_fit() -> None:
    from diabolo.report.baseline import held_out_rows

    model = Autoencoder(code_size=2, epochs=2, random_state=3).fit(DATA["array"])
    plan = model.plan(DATA["array"])
    assert plan.validation is not None
    expected = plan.validation.subset
    assert held_out_rows(model, ArraySource(DATA["array"])).tolist() == expected.tolist()


def test_held_out_rows_are_those_of_a_streamed_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from diabolo.estimators import planning
    from diabolo.report import baseline

    monkeypatch.setattr(planning, "total_memory", lambda: 0)
    X = rows(20_000, columns=2)
    model = Autoencoder(code_size=1, epochs=1, validation=0.3, random_state=0).fit(X)
    validation = model.plan(X).validation
    assert validation is not None
    expected = np.concatenate([np.arange(*block) for block in validation.blocks])
    assert baseline.held_out_rows(model, ArraySource(X)).tolist() == np.sort(expected).tolist()


@pytest.mark.parametrize("sort", [False, True])
def test_the_same_rows_in_another_order_are_no_unseen_rows(sort: bool, tmp_path: Path) -> None:
    X = np.round(rows() * 10)  # whole numbers: their sums do not depend on the order
    model = Autoencoder(code_size=2, epochs=5, random_state=0).fit(X)
    headline = write(model, X[np.argsort(X[:, 0])] if sort else X, tmp_path)[0]["headline"]
    assert headline["rows"] == ("seen" if sort else "held out")
    assert headline["unseen"] is not sort
    assert ("it was trained on" in headline["sentence"]) is sort


def test_other_data_is_halved(tmp_path: Path) -> None:
    model = Autoencoder(code_size=2, epochs=2, random_state=0).fit(rows())
    headline = write(model, rows(100, seed=1), tmp_path)[0]["headline"]
    assert (headline["rows"], headline["judged_rows"], headline["pca_rows"]) == ("other", 50, 50)
    few = write(model, rows(7, seed=1), tmp_path)[0]["headline"]
    assert (few["rows"], few["judged_rows"], few["pca_rows"]) == ("few", 7, 7)


def test_pca_is_measured_as_one_would_by_hand(tmp_path: Path) -> None:
    from sklearn.decomposition import PCA

    X = rows()
    model = LinearAutoencoder(code_size=2, scaling="center").fit(X)
    headline = write(model, X, tmp_path)[0]["headline"]
    pca = PCA(2).fit(X)
    assert headline["pca_squared_error"] == pytest.approx(((pca.inverse_transform(pca.transform(X)) - X) ** 2).mean())
    assert headline["mean_squared_error"] == pytest.approx(X.var(0).mean())
    assert headline["outcome"] == "tie"


def test_it_says_so_when_the_autoencoder_won(tmp_path: Path) -> None:
    t = np.linspace(-1, 1, 400)
    curve = np.stack([t, t**2, np.cos(3 * t), np.sin(3 * t)], axis=1)  # one number bends, and PCA cannot
    model = Autoencoder(code_size=1, epochs=60, random_state=0).fit(curve)
    headline = write(model, curve, tmp_path)[0]["headline"]
    assert headline["outcome"] == "won"
    assert headline["unseen"]
    assert headline["sentence"].startswith("The autoencoder beat PCA of the same size: ")
    better = 1 - headline["autoencoder_squared_error"] / headline["pca_squared_error"]
    assert headline["less_error"] == pytest.approx(better)
    assert better > 0.3


def test_it_says_so_when_the_autoencoder_lost(tmp_path: Path) -> None:
    model = Autoencoder(code_size=2, epochs=1, learning_rate=1e-6, random_state=0).fit(DATA["array"])
    headline = write(model, DATA["array"], tmp_path)[0]["headline"]
    assert headline["outcome"] == "lost"
    assert headline["sentence"].startswith("The autoencoder lost to PCA of the same size")
    assert headline["less_error"] > 0.3


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ((0.5, 1.0, 2.0, 0.01), "won"),
        ((1.0, 0.5, 2.0, 0.01), "lost"),
        ((1.0, 0.0, 2.0, 0.01), "lost"),
        ((0.995, 1.0, 2.0, 0.0), "tie"),
        ((0.8, 1.0, 2.0, 0.2), "tie"),
        ((0.0, 0.0, 0.0, 0.0), "tie"),
        ((1e-12, 1e-9, 2.0, 0.0), "tie"),
    ],
)
def test_verdict(errors: tuple[float, float, float, float], outcome: str) -> None:
    from diabolo.report.baseline import judge

    assert judge(*errors) == outcome


# Labels and strangers


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><svg/onload=alert(1)>",
    "{{ 7*7 }}",
    "a&b\u202e\x00",
]


def test_hostile_names_and_labels_are_inert(tmp_path: Path) -> None:
    frame = pd.DataFrame(rows(columns=5), columns=HOSTILE)
    labels = np.array(HOSTILE, dtype=object)[np.arange(len(frame)) % 5]
    model = VAE(code_size=3, epochs=2, random_state=0).fit(frame)
    numbers, page = write(model, frame, tmp_path, labels=labels)
    reader = read(page)
    assert not any(attributes.get("src") == "x" for _, attributes in reader.tags)
    assert "<script>alert" not in page
    assert "onload=alert(1)>" not in page.replace("onload=alert(1)&gt;", "")
    assert "49" not in "".join(reader.texts["th"])
    assert "{{ 7*7 }}" in reader.words
    assert "\u202e" not in page
    assert "\x00" not in page
    hover = json.loads(next(text for text in reader.texts["script"] if text.startswith("{")))
    assert HOSTILE[0] in hover["labels"]
    assert HOSTILE[0] in numbers["labels"]["names"]


@pytest.mark.parametrize(
    ("labels", "kind", "names"),
    [
        (np.arange(120) % 3, "classes", 3),
        (np.arange(120) % 14, "classes", 10),
        ([f"class {n % 25}" for n in range(120)], "classes", 10),
        (np.linspace(0, 1, 120), "scale", 7),
        (np.where(np.arange(120) % 5 == 0, np.nan, np.arange(120.0)), "scale", 7),
        ([None if n % 2 else "seen" for n in range(120)], "classes", 1),
        (pd.Series(np.arange(120) % 2 == 0), "classes", 2),
        (None, "none", 0),
    ],
)
def test_labels_color_the_codes(labels: Any, kind: str, names: int, tmp_path: Path) -> None:
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(rows())
    numbers, page = write(model, rows(), tmp_path, labels=labels)
    assert (numbers["labels"]["kind"], len(numbers["labels"]["names"])) == (kind, names)
    assert page.count('class="legend"') == (kind != "none")


def test_labels_of_the_source_are_used(tmp_path: Path) -> None:
    source = ArraySource(rows(), labels=np.arange(120) % 4)
    numbers, _ = write(Autoencoder(code_size=2, epochs=1, random_state=0).fit(source), source, tmp_path)
    assert numbers["labels"]["names"] == ["0", "1", "2", "3"]
    assert numbers["samples"]["best"][0]["label"] == str(numbers["samples"]["best"][0]["row"] % 4)


def test_neighbors_agree_where_codes_hold_the_label(tmp_path: Path) -> None:
    groups = np.repeat([0, 1], 60)
    X = rows() * 0.1 + groups[:, None] * 5
    numbers, _ = write(LinearAutoencoder(code_size=2).fit(X), X, tmp_path, labels=groups)
    assert numbers["map"]["neighbors_agree"] == 1.0
    assert numbers["map"]["neighbors_agree_by_chance"] == pytest.approx(0.5)


# What the numbers say


def test_dead_units_are_found(tmp_path: Path) -> None:
    model = VAE(code_size=6, beta=30.0, epochs=60, random_state=0).fit(rows())
    codes = write(model, rows(), tmp_path)[0]["codes"]
    assert codes["dead_units"] == [unit for unit, nats in enumerate(codes["nats"]) if nats < 0.01]
    assert codes["dead_units"]
    assert codes["active_units"] == 6 - len(codes["dead_units"])


def test_error_of_each_cell_is_that_of_the_reconstruction(tmp_path: Path) -> None:
    X = DATA["holes"]
    model = LinearAutoencoder(code_size=2, scaling="center").fit(X)
    cells = write(model, X, tmp_path)[0]["cells"]
    assert np.allclose(cells["squared_error"], np.nanmean((model.reconstruct(X) - X) ** 2, axis=0), rtol=1e-4)
    assert np.allclose(cells["variance"], np.nanvar(X, axis=0), rtol=1e-4)


# Always the same, and nothing left behind


@pytest.mark.parametrize("kind", ["holes", "color"])
def test_same_model_and_data_same_bytes(kind: str, tmp_path: Path) -> None:
    model = VAE(code_size=3, epochs=2, random_state=0).fit(DATA[kind])
    model.save(tmp_path / "model.safetensors")
    again = VAE(code_size=3, epochs=2, random_state=0).fit(DATA[kind])
    for row in [*again.history_.rows, *model.history_.rows]:
        del row["seconds"]  # the clock is all that may differ, and a stored model has none
    pages = [
        write(made, DATA[kind], tmp_path, name=name)[1]
        for name, made in {"a": model, "b": model, "c": again, "d": load(tmp_path / "model.safetensors")}.items()
    ]
    assert len(set(pages)) == 1
    assert len({(tmp_path / f"{name}.json").read_bytes() for name in "abcd"}) == 1


def test_global_random_state_is_untouched_and_no_socket_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(rows())
    monkeypatch.setattr(socket, "socket", refuse)
    before = (random.getstate(), str(np.random.get_state()), torch.random.get_rng_state())  # noqa: NPY002
    write(model, rows(), tmp_path)
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    assert bool((torch.random.get_rng_state() == before[2]).all())


def test_no_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret folder" / "table.csv"
    path.parent.mkdir()
    pd.DataFrame(rows(), columns=list("abcdef")).to_csv(path, index=False)
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(str(path))
    numbers, page = write(model, str(path), tmp_path)
    assert numbers["data"]["place"] == "table.csv"
    assert "secret folder" not in page + json.dumps(numbers)


def test_a_file_of_its_own_for_the_numbers(tmp_path: Path) -> None:
    model = LinearAutoencoder(code_size=1).fit(rows())
    numbers = write_report(model, rows(), tmp_path / "page.html", json_path=tmp_path / "other.json")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other.json", "page.html"]
    assert json.loads((tmp_path / "other.json").read_text()) == numbers
    with pytest.raises(ValueError, match=r"ends in \.html"):
        write_report(model, rows(), tmp_path / "same.json")


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (rows(columns=5), {}, ShapeError, r"samples of shape \(5,\)"),
        (rows(), {"labels": [1, 2]}, DataError, "120 rows"),
        (rows(), {"labels": np.zeros((120, 2))}, DataError, "one label"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    data: Any, options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    model = LinearAutoencoder(code_size=1).fit(rows())
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(error, match=message):
        write_report(model, data, tmp_path / "report.html", **options)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]


def test_pictures_are_those_of_the_data(tmp_path: Path) -> None:
    import io

    from PIL import Image

    from diabolo.report.pictures import png

    for shape in ((5, 4), (5, 4, 1), (5, 4, 2), (5, 4, 3), (5, 4, 4)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        back = np.asarray(Image.open(io.BytesIO(png(pixels))))
        assert (back.reshape(shape) == pixels).all()
    source = DATA["pictures"]
    numbers, page = write(Autoencoder(code_size=2, epochs=1, random_state=0).fit(source), source, tmp_path)
    first = re.search(r'alt="original of row \d+"', page)
    assert first is not None
    uri = re.findall(r'src="data:image/png;base64,([^"]+)" alt="original', page)[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))))
    assert (shown == source[numbers["samples"]["best"][0]["row"]]).all()


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (VQVAE(code_size=4, words=16, epochs=2, random_state=0), "symbols"),
        (SparseAutoencoder(code_size=32, active=4, epochs=2, random_state=0), "sparsity"),
        (VAE(code_size=2, epochs=2, random_state=0), "distribution"),
    ],
    ids=["symbols", "sparsity", "distribution"],
)
def test_what_a_kind_of_code_is_asked_about_is_what_diagnosis_measures(
    model: Estimator, found: str, tmp_path: Path
) -> None:
    X = rows()
    told, page = write(model.fit(X), X, tmp_path)
    assert ({"symbols", "sparsity", "distribution"} & told["codes"].keys()) == {found}
    said = told["codes"][found]
    if found == "symbols":
        usage = codebook_usage(model, X)
        assert (said["used"], said["bits"]) == (usage.used, usage.bits)
        assert "perplexity" in page
    if found == "sparsity":
        assert said["mean_active"] == sparsity(model, X).mean_active == pytest.approx(4)
        assert "active at once" in page
    if found == "distribution":
        measured = variation(model, X)
        assert (said["rate"], said["distortion"]) == pytest.approx((measured.rate, measured.distortion), rel=1e-5)
        assert said["rate"] + said["distortion"] == pytest.approx(told["totals"]["all_rows"]["nats"], rel=1e-5)


# Tables of columns of several kinds


def kinds_of_columns(rows: int = 90) -> pd.DataFrame:
    """Columns of every kind, with holes and hostile names and values."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": draw.normal(40, 5, rows).round(1),
            "age": draw.integers(0, 90, rows),
            "grade": draw.integers(1, 5, rows),
            HOSTILE[0]: draw.choice(HOSTILE, rows),
            "paid": draw.random(rows) < 0.5,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 300, rows), "D"),
            "when": pd.Timestamp("2024-01-01 08:30") + pd.to_timedelta(draw.integers(0, 10**6, rows), "m"),
            "lasts": pd.to_timedelta(draw.integers(0, 10**4, rows), "m"),
            "nothing": [None] * rows,
        }
    )
    for name in ("length", HOSTILE[0], "day"):
        frame.loc[draw.choice(rows, 7, replace=False), name] = None
    return frame


def test_a_mixed_table_is_reported_by_the_users_columns(tmp_path: Path) -> None:
    frame = kinds_of_columns()
    model = VAE(code_size=3, epochs=4, random_state=0).fit(frame)
    numbers, page = write(model, frame, tmp_path)
    reader, data = read(page), numbers["data"]
    assert numbers["headline"]["rows"] == "held out"  # holes are counted as at fit
    assert (data["rows"], data["shape"], data["missing"]) == (90, [9], int(frame.isna().to_numpy().sum()))
    assert [column["missing"] for column in data["columns"]] == frame.isna().sum().tolist()
    length, age, _, word, paid, day, when, _, nothing = data["columns"]
    assert length["mean"] == pytest.approx(frame["length"].mean())
    assert length["deviation"] == pytest.approx(frame["length"].std(ddof=0))
    assert (age["smallest"], age["largest"]) == (frame["age"].min(), frame["age"].max())
    assert all(column["mean"] is None for column in (word, paid, day, nothing))
    assert (day["smallest"], when["smallest"]) == (f"{frame['day'].min():%F}", f"{frame['when'].min():%F %T}")
    said = dict(model.modality_.said)
    assert length["said"] == said["length"]
    assert said["length"] in reader.words
    assert "cells for the network" in reader.words
    columns = numbers["cells"]["columns"]
    assert columns["names"] == list(frame)
    assert len(numbers["cells"]["names"]) == sum(columns["cells"]) == len(numbers["cells"]["squared_error"])
    starts = np.concatenate([[0], np.cumsum(columns["cells"])[:-1]])
    errors = np.array([np.nan if error is None else error for error in numbers["cells"]["squared_error"]])
    assert columns["squared_error"] == pytest.approx(np.add.reduceat(np.nan_to_num(errors), starts).tolist())
    assert numbers["totals"]["compression_ratio"] == 3
    assert "in place of 9 columns" in reader.words


def test_a_mixed_row_is_shown_with_the_users_values(tmp_path: Path) -> None:
    frame = kinds_of_columns()
    model = Autoencoder(code_size=3, epochs=4, random_state=0).fit(frame)
    frame.loc[5, ["length", HOSTILE[0]]] = [99.5, "never seen <i>"]
    numbers, page = write(model, frame, tmp_path)
    reader = read(page)
    worst = numbers["samples"]["worst"][0]
    assert worst["row"] == 5
    cells = reader.texts["td"]
    for shown in ("99.5", "never seen <i>", "missing", f"{frame['day'][5]:%F}", str(frame["grade"][5])):
        assert shown in cells
    assert "<i>" not in page
    assert any(re.fullmatch(r"(true|false), \d+ %", text) for text in reader.texts["b"])
    marks = re.findall(r'<td class="m(\d)">99\.5', page)
    assert marks == ["4"]
    hover = json.loads(next(text for text in reader.texts["script"] if text.startswith("{")))
    assert f"age {frame['age'][5]}" in hover["texts"][5].split("\n")
    assert "length 99.5" in hover["texts"][5].split("\n")
    hole = int(np.flatnonzero(frame["length"].isna())[0])
    assert "length missing" in hover["texts"][hole].split("\n")


@pytest.mark.parametrize("kind", ["one row", "two rows", "wide", "polars", "inferred", "another loss", "masked"])
def test_awkward_mixed_tables_have_a_report(kind: str, tmp_path: Path) -> None:
    from diabolo import MaskedAutoencoder

    frame: Any = kinds_of_columns(60)
    model: Estimator = Autoencoder(code_size=2, epochs=2, random_state=0)
    if kind in ("one row", "two rows"):
        model.fit(frame)
        frame = frame[: 1 + (kind == "two rows")]
    elif kind == "wide":
        frame = pd.concat([frame[["age", HOSTILE[0]]].add_suffix(f" {at}") for at in range(100)], axis=1)
    elif kind == "polars":
        frame = pl.DataFrame({"a": ["x", None, "z"] * 20, "b": list(range(60)), "c": [True, False, None] * 20})
    elif kind == "inferred":
        frame = pd.DataFrame(load_iris().data.round(1), columns=list("abcd"))
        model = Autoencoder(code_size=2, epochs=2, column_types="infer", random_state=0)
    elif kind == "another loss":
        model = LinearAutoencoder(code_size=2)
    elif kind == "masked":
        model = MaskedAutoencoder(code_size=2, epochs=2, random_state=0)
    fitted = model if hasattr(model, "network_") else model.fit(frame)
    numbers, page = write(fitted, frame, tmp_path)
    assert numbers["data"]["shape"] == [frame.shape[1]]
    assert len(numbers["cells"]["columns"]["names"]) == frame.shape[1]
    assert len(page) < 1_000_000


def test_a_mixed_table_gives_the_same_bytes_and_tells_other_data(tmp_path: Path) -> None:
    frame = kinds_of_columns()
    model = Autoencoder(code_size=2, epochs=2, random_state=0).fit(frame)
    model.save(tmp_path / "m.safetensors")
    for row in model.history_.rows:
        del row["seconds"]  # the clock, which a stored model does not have
    for name, fitted in (("a", model), ("b", model), ("c", load(tmp_path / "m.safetensors"))):
        write(fitted, frame, tmp_path, name)
    assert len({(tmp_path / f"{name}.html").read_bytes() for name in "abc"}) == 1
    assert len({(tmp_path / f"{name}.json").read_bytes() for name in "abc"}) == 1
    other = frame.copy()
    other.loc[3, HOSTILE[0]] = "never seen"  # one cell of the network stands for all that is new
    another = frame.copy()
    another.loc[3, HOSTILE[0]] = "nor this"
    digests = {write(model, data, tmp_path, "d")[0]["data"]["sha256"] for data in (frame, other, another)}
    assert len(digests) == 3

"""Named sets: found where the page says, in that order, and never taken without their checksum."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import urllib.error
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from diabolo.core.errors import DataError
from diabolo.data import examples

FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(not (FOLDER / "mnist").is_dir(), reason="the data sets are not there; set DIABOLO_DATA")
FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


IMAGES = np.random.default_rng(0).integers(0, 255, (5, 28, 28))
CONTENTS = {FILES[0]: idx(IMAGES), FILES[1]: idx(np.arange(5))}


class Server:
    """Stands in for the mirrors: serves what it is given and remembers what was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers, self.asked = answers, []

    def __call__(self, url: str, timeout: float) -> io.BytesIO:
        assert timeout > 0
        self.asked.append(url)
        name = url.rsplit("/", 1)[1].removesuffix(".gz")
        if name not in self.answers or "down" in url:
            raise urllib.error.URLError("unreachable")
        return io.BytesIO(self.answers[name])


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at hand, nothing to be had."""
    monkeypatch.delenv("DIABOLO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.urlopen", Server({}))


def serve(monkeypatch: pytest.MonkeyPatch, packed: bool, *, honest: bool = True) -> Server:
    answers = {name: gzip.compress(content) for name, content in CONTENTS.items()}
    checked = answers if packed else CONTENTS
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in checked.items()}
    server = Server(answers if honest else {name: gzip.compress(b"evil") for name in answers})
    monkeypatch.setattr("urllib.request.urlopen", server)
    mirrors = ("https://down.example/", "https://up.example/")
    for name in ("mnist", "fashion-mnist"):
        remote = replace(examples.REMOTES[name], mirrors=mirrors, packed=packed, digests=digests)
        monkeypatch.setitem(examples.REMOTES, name, remote)
    return server


def fill(folder: Path, *, packed: bool = True) -> None:
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


def check(name: str) -> None:
    source = examples.open_named(name)
    assert (source.place, source.rows, source.shape, source.dtype) == (name, 5, (28, 28), np.uint8)
    np.testing.assert_array_equal(source.read(0, 5), IMAGES)
    np.testing.assert_array_equal(source.labels, np.arange(5))


def test_digits_are_those_of_scikit_learn() -> None:
    source, theirs = examples.open_named("digits"), load_digits()
    assert (source.dtype, source.maximum) == (np.uint8, 16)
    np.testing.assert_array_equal(source.read(0, source.rows), theirs.images)
    np.testing.assert_array_equal(source.labels, theirs.target)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"digits, fashion-mnist.*Did you mean mnist\?"):
        examples.open_named("mnits")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_given_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, packed: bool) -> None:
    fill(tmp_path / "given" / name, packed=packed)
    monkeypatch.setenv("DIABOLO_DATA", str(tmp_path / "given"))
    check(f"{name}:test")


def test_files_beside_the_folders_are_taken_for_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "given")
    monkeypatch.setenv("DIABOLO_DATA", str(tmp_path / "given"))
    check("mnist:test")
    with pytest.raises(DataError, match="unreachable"):
        examples.open_named("fashion-mnist:test")


def test_then_comes_the_cache(tmp_path: Path) -> None:
    fill(tmp_path / "cache" / "diabolo" / "mnist")
    check("mnist:test")


@pytest.mark.parametrize("packed", [True, False])
def test_then_the_mirrors_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    server = serve(monkeypatch, packed)
    check("fashion-mnist:test")
    assert len(server.asked) == 4  # the first mirror is down, for each of two files
    check("fashion-mnist:test")
    assert len(server.asked) == 4
    held = sorted(path.name for path in (tmp_path / "cache" / "diabolo" / "fashion-mnist").iterdir())
    assert held == [f"{name}.gz" for name in FILES]


def test_another_checksum_is_refused_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, False, honest=False)
    with pytest.raises(DataError, match="another SHA-256"):
        examples.open_named("mnist:test")
    assert not list((tmp_path / "cache" / "diabolo" / "mnist").iterdir())


def test_endless_answers_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MOST_BYTES", 100)
    serve(monkeypatch, True)
    with pytest.raises(DataError, match="more than 100 bytes came"):
        examples.open_named("mnist:test")


def test_without_a_network_the_message_says_where_to_put_what(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        examples.open_named("mnist")
    for part in ("train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz", "$DIABOLO_DATA/mnist", "cache"):
        assert part in str(caught.value)


def test_images_and_labels_must_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "given" / "mnist")
    (tmp_path / "given" / "mnist" / f"{FILES[1]}.gz").write_bytes(gzip.compress(idx(np.arange(4))))
    monkeypatch.setenv("DIABOLO_DATA", str(tmp_path / "given"))
    with pytest.raises(DataError, match="do not belong together"):
        examples.open_named("mnist:test")


def test_digits_open_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    examples.open_named("digits")


@needs_data
@pytest.mark.parametrize("name", ["mnist", "mnist:test"])
def test_mnist_where_it_stands(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("DIABOLO_DATA", str(FOLDER))
    source = examples.open_named(name)
    assert source.rows == (10000 if name.endswith("test") else 60000)
    assert source.labels is not None
    assert len(source.labels) == source.rows


@needs_data
@pytest.mark.parametrize("file", examples.REMOTES["mnist"].digests)
def test_the_checksums_are_those_of_mnist(file: str) -> None:
    found = examples._digest(FOLDER / "mnist" / f"{file}.gz", packed=False)
    assert found == examples.REMOTES["mnist"].digests[file]

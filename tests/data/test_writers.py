"""Laws of writing: whole or not at all, the same bytes for the same rows, and nothing lost on the way back."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diabolo.core.errors import DataError
from diabolo.data.files import open_path
from diabolo.data.writers import ExistingFileError, Writer, write

KINDS = ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "t.parquet", "t.npy", "t.npz"]
TEXT = KINDS[:4]
MATRIX = np.random.default_rng(0).normal(size=(12, 3))
NAMES = ["a", "b", "c"]
PICTURES = np.random.default_rng(0).integers(0, 255, (12, 5, 4), dtype=np.uint8)


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


@pytest.mark.parametrize("name", [*KINDS, "pictures"])
@pytest.mark.parametrize("sizes", [[12], [1] * 12, [5, 0, 7]])
def test_blocks_make_the_same_file_as_the_whole(tmp_path: Path, name: str, sizes: list[int]) -> None:
    values = PICTURES if name == "pictures" else MATRIX
    write(values, tmp_path / f"whole{name}")
    with Writer(tmp_path / name) as writer:
        start = 0
        for size in sizes:
            writer.write(values[start : start + size])
            start += size
    np.testing.assert_array_equal(open_path(tmp_path / name).read(0, 12), values)
    if name != "pictures":
        assert (tmp_path / name).read_bytes() == (tmp_path / f"whole{name}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@settings(max_examples=50, deadline=None)
@given(values=hnp.arrays(st.sampled_from([np.float32, np.float64]), (3, 2)))
def test_floats_read_back_to_the_same_bits(values: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("floats") / "t.csv"
    write(values, path)
    back = open_path(path).read(0, 3).astype(values.dtype)
    np.testing.assert_array_equal(back, values)
    assert (np.signbit(back) == np.signbit(values))[~np.isnan(values)].all()


def test_text_is_the_shortest_that_says_the_value(tmp_path: Path) -> None:
    write(np.array([[0.1, 1e-9]], np.float32), tmp_path / "f.csv")
    assert text_of(tmp_path / "f.csv") == "column_0,column_1\n0.1,1e-09\n"
    columns = {"i": np.array([3]), "u": np.array([2**64 - 1], np.uint64), "b": np.array([True]), "f": np.array([2.0])}
    write(columns, tmp_path / "m.csv")
    assert text_of(tmp_path / "m.csv") == "i,u,b,f\n3,18446744073709551615,True,2.0\n"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_pandas_reads_names_and_texts_with_any_mark(tmp_path: Path, name: str) -> None:
    kinds = np.array(['a "b"', "c,d\te", "f\ng", " h", ""])
    write({"x, y": np.arange(5), 'a "q"': kinds}, tmp_path / name)
    frame = pd.read_csv(tmp_path / name, sep="\t" if "tsv" in name else ",", keep_default_na=False)
    assert list(frame.columns) == ["x, y", 'a "q"']
    assert frame['a "q"'].tolist() == kinds.tolist()


@pytest.mark.parametrize("name", [*TEXT, "t.parquet", "t.npz"])
def test_names_and_index_are_kept(tmp_path: Path, name: str) -> None:
    index = np.array([f"row {at}" for at in range(12)])
    with Writer(tmp_path / name, names=NAMES) as writer:
        writer.write(MATRIX[:5], index[:5])
        writer.write(MATRIX[5:], index[5:])
    if name == "t.npz":
        with np.load(tmp_path / name) as held:
            assert held["names"].tolist() == NAMES
    source = open_path(tmp_path / name, label="index")
    assert source.labels is not None
    assert source.labels.tolist() == index.tolist()
    assert source.names == (None if name == "t.npz" else tuple(NAMES))
    np.testing.assert_array_equal(source.read(0, 12), MATRIX)


def test_a_column_called_index_is_not_lost(tmp_path: Path) -> None:
    write({"index": np.array([7, 8])}, tmp_path / "t.csv", index=["x", "y"])
    assert text_of(tmp_path / "t.csv") == "row,index\nx,7\ny,8\n"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames_are_written_with_their_names_and_dtypes(tmp_path: Path, make: type) -> None:
    write(make({"age": [3, 4], "size": [0.5, 1.5]}), tmp_path / "t.parquet")
    source = open_path(tmp_path / "t.parquet")
    assert (source.names, source.dtypes) == (("age", "size"), ("int64", "float64"))


@pytest.mark.parametrize("name", [*KINDS, "pictures"])
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(PICTURES if name == "pictures" else MATRIX, tmp_path / folder / name)
    one, two = (sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file()) for folder in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.mark.parametrize("shape", [(12,), (12, 5, 4), (12, 2, 2, 3)])
@pytest.mark.parametrize("name", ["t.npy", "t.npz", "t.csv", "t.parquet"])
def test_other_shapes(tmp_path: Path, shape: tuple[int, ...], name: str) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    write(values, tmp_path / name)
    back = open_path(tmp_path / name)
    np.testing.assert_array_equal(back.read(0, 12).reshape(shape), values)
    if name.startswith("t.np") and len(shape) > 1:
        assert back.shape == shape[1:]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 1), (3, 5, 4, 3)])
def test_pictures_of_every_mode(tmp_path: Path, dtype: type, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    if dtype is np.uint16 and shape[-1] == 3:
        with pytest.raises(DataError, match="are no pictures"):
            write(values, tmp_path / "p")
        return
    write(values, tmp_path / "p")
    np.testing.assert_array_equal(open_path(tmp_path / "p").read(0, 3), values[..., 0] if shape[-1] == 1 else values)


def test_standard_output_is_csv(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(np.array([[1, 2]]), "-", names=["a", "b"])
    assert capsysbinary.readouterr().out == b"a,b\n1,2\n"


def test_standard_output_without_bytes_below(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.StringIO()
    monkeypatch.setattr(sys, "stdout", held)
    write(np.array([1.5]), "-", names=["score"])
    assert held.getvalue() == "score\n1.5\n"


@pytest.mark.parametrize("name", [*KINDS, "pictures"])
def test_what_is_there_is_replaced_only_when_told(tmp_path: Path, name: str) -> None:
    first, second = (PICTURES, PICTURES[:3]) if name == "pictures" else (MATRIX, MATRIX[:3])
    write(first, tmp_path / name)
    with pytest.raises(ExistingFileError, match="--force"):
        write(second, tmp_path / name)
    assert open_path(tmp_path / name).rows == 12
    write(second, tmp_path / name, overwrite=True)
    assert open_path(tmp_path / name).rows == 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", [*KINDS, "pictures"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_failure_leaves_nothing_and_harms_nothing(tmp_path: Path, name: str, error: type[BaseException]) -> None:
    values = PICTURES if name == "pictures" else MATRIX
    write(values, tmp_path / name)
    with pytest.raises(error), Writer(tmp_path / name, overwrite=True) as writer:  # noqa: PT012
        writer.write(values[:5])
        raise error
    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(open_path(tmp_path / name).read(0, 12), values)


@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(MATRIX, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ExistingFileError), Writer(tmp_path / "t.csv") as writer:  # noqa: PT012
        writer.write(MATRIX)
        (tmp_path / "t.csv").write_text("precious")
    assert (tmp_path / "t.csv").read_text() == "precious"


def test_a_folder_with_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    with pytest.raises(DataError, match="nothing but png"):
        write(PICTURES, tmp_path / "thesis", overwrite=True)
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="not a regular file"):
        write(MATRIX, tmp_path / "t.csv", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "precious"


def test_a_link_is_written_through(tmp_path: Path) -> None:
    write(MATRIX, tmp_path / "real.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write(MATRIX[:2], tmp_path / "link.csv", overwrite=True)
    assert (tmp_path / "link.csv").is_symlink()
    assert open_path(tmp_path / "real.csv").rows == 2


@pytest.mark.skipif(not hasattr(os, "umask"), reason="needs umask")
def test_permissions_are_the_usual_ones(tmp_path: Path) -> None:
    write(MATRIX, tmp_path / "t.csv")
    (tmp_path / "usual").touch()
    assert (tmp_path / "t.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode


REFUSED = {
    "an unknown kind": ("t.docx", MATRIX, {}, "Possible are"),
    "a folder that is not there": ("no/t.csv", MATRIX, {}, "no folder"),
    "floats as pictures": ("folder", MATRIX, {}, "are no pictures"),
    "too few names": ("t.csv", MATRIX, {"names": ["a"]}, "1 names for 3 columns"),
    "names that come twice": ("t.csv", MATRIX, {"names": ["a", "a", "b"]}, "'a' comes more than once"),
    "an index of another length": ("t.csv", MATRIX, {"index": [1]}, r"index of shape \(1,\) for 12 rows"),
    "columns of different lengths": ("t.csv", {"a": np.ones(2), "b": np.ones(3)}, {}, "different lengths"),
    "text as an array": ("t.npy", {"a": np.array(["x"])}, {}, "column 'a' holds no numbers"),
    "objects": ("t.csv", np.array([[object()]]), {}, "no rows of numbers"),
    "a number": ("t.csv", np.float64(1), {}, "no rows of numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    name, values, options, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        write(values, tmp_path / name, **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_blocks_must_fit_each_other(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="after blocks of"), Writer(tmp_path / name) as writer:  # noqa: PT012
        writer.write(MATRIX)
        writer.write(MATRIX[:, :2])
    with pytest.raises(DataError, match="no rows to write"), Writer(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())

"""Laws of files: a matrix written as any kind is read back equal; hostile files are refused, and quickly."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from diabolo.core.errors import DataError
from diabolo.data import delimited
from diabolo.data.files import open_path, read_labels
from diabolo.data.writers import write

FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(not (FOLDER / "mnist").is_dir(), reason="the data sets are not there; set DIABOLO_DATA")
RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(57, 5)) * 10.0 ** RNG.integers(-9, 9, size=(57, 5))
NAMES = ["a", "b", "c", "d", "e"]
TEXT_KINDS = ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.gz"]
TABLE_KINDS = [*TEXT_KINDS, "t.parquet"]
KINDS = [*TABLE_KINDS, "t.npy", "t.npz"]


def idx(values: np.ndarray, code: int = 8) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, code, values.ndim]) + sizes + values.astype(values.dtype.newbyteorder(">")).tobytes()


def png(values: np.ndarray, mode: str = "png") -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, mode)
    return file.getvalue()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- every kind


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool"])
def test_what_was_written_is_read_back_equal(tmp_path: Path, name: str, dtype: str) -> None:
    matrix = MATRIX.astype(dtype) if dtype.startswith("float") else RNG.integers(0, 2, (57, 5)).astype(dtype)
    write(matrix, tmp_path / name, names=NAMES)
    source = open_path(tmp_path / name)
    assert (source.rows, source.shape) == (57, (5,))
    np.testing.assert_array_equal(source.read(0, 57).astype(dtype), matrix)
    if name in TABLE_KINDS:
        assert source.names == tuple(NAMES)
    if dtype in ("float64", "int64", "bool") or name not in TEXT_KINDS:
        assert source.dtype == dtype


@pytest.mark.parametrize("name", KINDS)
def test_a_stretch_is_a_slice_of_the_whole(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 300)
    monkeypatch.setattr("diabolo.data.columnar.BATCH", 300)
    monkeypatch.setattr("diabolo.data.sinks.ParquetSink.GROUP", 20)
    write(MATRIX, tmp_path / name)
    source = open_path(tmp_path / name)
    for start, stop in [*RNG.integers(-3, 70, size=(30, 2)).tolist(), (0, 57), (56, 99), (9, 9)]:
        np.testing.assert_array_equal(source.read(start, stop), MATRIX[max(start, 0) : max(stop, 0)])


@pytest.mark.parametrize("name", TABLE_KINDS)
def test_missing_cells_are_nan(tmp_path: Path, name: str) -> None:
    matrix = np.where(RNG.random(MATRIX.shape) < 0.2, np.nan, MATRIX)
    write(matrix, tmp_path / name)
    np.testing.assert_array_equal(open_path(tmp_path / name).read(0, 57), matrix)


@pytest.mark.parametrize("name", TABLE_KINDS)
@pytest.mark.parametrize("labels", [["x", "y", "x"], [3, 1, 2], [0.5, 1.5, 2.5]])
def test_a_label_column_is_taken_out(tmp_path: Path, name: str, labels: list[object]) -> None:
    write({"a": np.arange(3.0), "kind": np.array(labels), "b": np.ones(3)}, tmp_path / name)
    source = open_path(tmp_path / name, label="kind")
    assert source.names == ("a", "b")
    np.testing.assert_array_equal(source.labels, labels)
    np.testing.assert_array_equal(source.read(0, 3), [[0, 1], [1, 1], [2, 1]])


@pytest.mark.parametrize("name", [*KINDS, "t.idx", "pictures"])
@pytest.mark.parametrize("kind", ["y.npy", "y.csv", "y.txt", "y.idx", "y.idx.gz"])
def test_labels_from_another_file(tmp_path: Path, name: str, kind: str) -> None:
    labels = np.arange(57) % 3
    pictures = np.zeros((57, 2, 2), np.uint8)
    if name == "t.idx":
        put(tmp_path, name, idx(pictures))
    else:
        write(pictures if name == "pictures" else MATRIX, tmp_path / name)
    if kind == "y.npy":
        np.save(tmp_path / kind, labels)
    elif ".idx" in kind:
        data = idx(labels.astype(np.uint8))
        put(tmp_path, kind, gzip.compress(data) if kind.endswith(".gz") else data)
    else:
        put(tmp_path, kind, "\n".join(["label"][: kind == "y.csv"] + [f"{label}" for label in labels]))
    source = open_path(tmp_path / name, label=str(tmp_path / kind))
    np.testing.assert_array_equal(source.labels, labels)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", MATRIX)
    np.save(tmp_path / "y.npy", np.arange(3))
    with pytest.raises(DataError, match="3 labels for 57 samples"):
        open_path(tmp_path / "X.npy", label=str(tmp_path / "y.npy"))


@pytest.mark.parametrize("name", [*KINDS, "t.idx", "pictures"])
def test_an_unknown_label_is_refused(tmp_path: Path, name: str) -> None:
    pictures = np.zeros((2, 2, 2), np.uint8)
    if name == "t.idx":
        put(tmp_path, name, idx(pictures))
    else:
        write(pictures if name == "pictures" else MATRIX, tmp_path / name)
    with pytest.raises(DataError, match="no file is called 'nonsense'"):
        open_path(tmp_path / name, label="nonsense")


def test_text_labels_from_a_file(tmp_path: Path) -> None:
    path = put(tmp_path, "y.txt", "cat\ndog\n")
    assert read_labels(path, 2).tolist() == ["cat", "dog"]
    assert read_labels(put(tmp_path, "z.txt", "kind\ncat\ndog\n"), 2).tolist() == ["cat", "dog"]


# --- tables as text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", ", "])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_delimiters_headers_and_line_ends_are_told(
    tmp_path: Path, delimiter: str, ending: str, header: bool, last: bool
) -> None:
    rows = [["a", "b", "c"]] * header + [["1", "2.5", "-3e2"], ["4", "5", "6"]]
    text = ending.join(delimiter.join(row) for row in rows) + ending * last
    source = open_path(put(tmp_path, "t.csv", text))
    assert source.names == (("a", "b", "c") if header else None)
    np.testing.assert_array_equal(source.read(0, 9), [[1, 2.5, -300], [4, 5, 6]])


@pytest.mark.parametrize("marker", ["", "NA", "NaN", "nan", "null", "None", "?", "N/A", " ? "])
def test_missing_markers(tmp_path: Path, marker: str) -> None:
    source = open_path(put(tmp_path, "t.csv", f"1,{marker}\n{marker},4\n"))
    np.testing.assert_array_equal(source.read(0, 2), [[1, np.nan], [np.nan, 4]])


def test_column_dtypes_of_a_text_table(tmp_path: Path) -> None:
    source = open_path(put(tmp_path, "t.csv", "i,f,b,g,m\n1,1.5,True,2.0,1\n-2,2,false,3.0,\n"))
    assert source.dtypes == ("int64", "float64", "bool", "float64", "float64")
    np.testing.assert_array_equal(source.read(0, 2), [[1, 1.5, 1, 2, 1], [-2, 2, 0, 3, np.nan]])


def test_whole_numbers_are_read_to_the_last_digit(tmp_path: Path) -> None:
    big = 2**62 + 1
    source = open_path(put(tmp_path, "t.csv", f"{big},{-big}\n"))
    assert source.read(0, 1).tolist() == [[big, -big]]


def test_quotes_marks_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeff"first, one","b ""x"""\r\n\r\n"1","2"\r\n3,"4"\r\n   \r\n'
    source = open_path(put(tmp_path, "t.csv", text))
    assert source.names == ("first, one", 'b "x"')
    np.testing.assert_array_equal(source.read(0, 2), [[1, 2], [3, 4]])


def test_a_quoted_cell_goes_over_lines_and_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 16)
    rows = "".join(f'{at},"note\n{at}, with ""words"""\n' for at in range(50))
    source = open_path(put(tmp_path, "t.csv", "x,note\n" + rows), label="note")
    np.testing.assert_array_equal(source.read(0, 50)[:, 0], np.arange(50))
    assert source.labels is not None
    assert source.labels[7] == 'note\n7, with "words"'


def test_dtypes_do_not_depend_on_where_blocks_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{at},{at if at < 150 else at + 0.5},{'' if at == 170 else at}\n" for at in range(200))
    path = put(tmp_path, "t.csv", "i,f,m\n" + text)
    whole = open_path(path)
    monkeypatch.setattr(delimited, "BLOCK", 64)
    blocks = open_path(path)
    assert blocks.dtypes == whole.dtypes == ("int64", "float64", "float64")
    np.testing.assert_array_equal(blocks.read(0, 200), whole.read(0, 200))


def test_a_column_without_names_is_a_label_by_its_position(tmp_path: Path) -> None:
    source = open_path(put(tmp_path, "t.csv", "1,2,7\n3,4,8\n"), label="-1")
    np.testing.assert_array_equal(source.read(0, 2), [[1, 2], [3, 4]])
    assert source.labels is not None
    assert source.labels.tolist() == [7, 8]


BAD_TABLES = {
    "a short row beside text": ("a,b\n1,x\n3\n4,5\n", "line 3: 1 cells, where the first row has 2"),
    "a short row": ("a,b\n1,2\n3\n4,5\n", "line 3: 1 cells, where the first row has 2"),
    "a long row": ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells"),
    "a short row beside a label": ("a,b,y\n1,2,x\n3,x\n", "line 3: 2 cells"),
    "a short row after blank lines": ("a,b\n\n\n1,2\n\n3\n", "line 6: 1 cells"),
    "names that come twice": ("a,b,a\n1,2,3\n", "'a' comes more than once"),
    "nothing": ("", "empty"),
    "blank lines": ("\n\n", "0 sample"),
    "a header alone": ("a,b\n", "a header and no rows"),
    "latin-1": (b"a,b\n1,2\n3,\xe9\n", "byte 10 \\(0xe9\\) is no UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "byte 0 \\(0xff\\)"),
    "zero bytes": (b"a,b\n1,2\n3,\x00\n", "line 3: a zero byte"),
    "an open quote": ('a,b\n1,"2\n3,4\n', "a quote is opened and never closed"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_table_is_refused_by_line_and_column(tmp_path: Path, case: str, packed: bool) -> None:
    text, message = BAD_TABLES[case]
    data = text.encode() if isinstance(text, str) else text
    path = put(tmp_path, "t.csv.gz" if packed else "t.csv", gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=message) as caught:
        open_path(path, label="y" if "label" in case else None)
    assert str(path) in str(caught.value)


def test_a_bad_byte_is_named_far_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 64)
    data = b"1,2\n" * 500 + b"1,\xff\n"
    with pytest.raises(DataError, match="byte 2002 "):
        open_path(put(tmp_path, "t.csv", data))


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", "1,2\n" * 9)
    source = open_path(path)
    path.write_text("1,2\n")
    with pytest.raises(DataError, match="changed"):
        source.read(0, 9)


# --- arrays


@pytest.mark.parametrize(("code", "dtype"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_of_every_type(tmp_path: Path, code: int, dtype: str, packed: bool) -> None:
    values = RNG.integers(0, 100, (4, 3, 2)).astype(dtype)
    data = idx(values, code)
    source = open_path(put(tmp_path, "t-idx3-ubyte", gzip.compress(data) if packed else data))
    assert source.dtype == dtype
    np.testing.assert_array_equal(source.read(1, 3), values[1:3])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", ">i4", "float16", "float32", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2, 3)])
def test_npy_of_every_dtype_and_order(tmp_path: Path, dtype: str, order: str, shape: tuple[int, ...]) -> None:
    values = np.asarray(RNG.integers(0, 2, shape).astype(dtype), order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "t.npy", values)
    source = open_path(tmp_path / "t.npy")
    assert source.dtype == np.dtype(dtype).newbyteorder("=")
    assert source.shape == shape[1:]
    np.testing.assert_array_equal(source.read(1, 3), values[1:3])


def test_the_array_of_an_archive_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, only=MATRIX)
    np.testing.assert_array_equal(open_path(path).read(0, 57), MATRIX)
    np.savez_compressed(path, X=MATRIX, y=np.arange(57), z=np.ones(3))
    assert open_path(path).labels.tolist() == list(range(57))  # type: ignore[union-attr]
    np.savez(path, images=MATRIX, kind=np.array(["a"] * 57))
    assert set(open_path(path, label="kind").labels.tolist()) == {"a"}  # type: ignore[union-attr]
    np.savez(path, train=MATRIX, test=MATRIX)
    with pytest.raises(DataError, match="'train', 'test'"):
        open_path(path)


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_a_sparse_archive_is_read(tmp_path: Path, kind: str) -> None:
    matrix = sp.random(20, 30, density=0.1, format=kind, random_state=0)
    sp.save_npz(tmp_path / "t.npz", matrix)
    np.testing.assert_array_equal(open_path(tmp_path / "t.npz").read(3, 9), matrix.toarray()[3:9])


def test_a_sparse_archive_with_indices_beyond_its_shape_is_refused(tmp_path: Path) -> None:
    matrix = sp.csr_matrix(np.eye(4))
    matrix.indices[2] = 99
    sp.save_npz(tmp_path / "t.npz", matrix)
    with pytest.raises(DataError, match="damaged"):
        open_path(tmp_path / "t.npz")


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[1, "a"]], object), allow_pickle=True)
    np.savez(tmp_path / "t.npz", X=np.array([[1, "a"]], object), allow_pickle=True)
    for name in ("t.npy", "t.npz"):
        with pytest.raises(DataError, match="pickled"):
            open_path(tmp_path / name)


def test_parquet_without_its_index_and_with_nulls(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 1.5]}, index=pd.Index([7, 8, 9]))
    frame.to_parquet(tmp_path / "t.parquet")
    source = open_path(tmp_path / "t.parquet")
    assert (source.names, source.dtypes) == (("a", "b"), ("int64", "float64"))
    np.testing.assert_array_equal(source.read(0, 3), [[1, 0.5], [2, np.nan], [3, 1.5]])
    frame["sex"] = "f"
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'sex' does not hold numbers"):
        open_path(tmp_path / "t.parquet").read(0, 1)
    assert open_path(tmp_path / "t.parquet", label="sex").shape == (2,)


# --- pictures


@pytest.mark.parametrize("kind", ["folder", "zip", "pattern"])
def test_pictures_are_sorted_as_people_count_and_labeled_by_folder(tmp_path: Path, kind: str) -> None:
    pictures = RNG.integers(0, 255, (12, 4, 6), dtype=np.uint8)
    files = {f"{'cat' if at < 6 else 'dog'}/{at}.png": png(picture) for at, picture in enumerate(pictures)}
    for name, data in files.items():
        put(tmp_path, f"all/{name}", data)
    put(tmp_path, "all/readme.md", "words")
    put(tmp_path, "all/cat/._0.png", "a Mac's")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    path = {"folder": "all", "zip": "all.zip", "pattern": "all/*/*.png"}[kind]
    source = open_path(tmp_path / path)
    assert source.paths == tuple(files)
    assert source.labels is not None
    assert source.labels.tolist() == ["cat"] * 6 + ["dog"] * 6
    np.testing.assert_array_equal(source.read(3, 11), pictures[3:11])


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_picture_shapes(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    picture = np.full(shape, 200, np.uint8)
    source = open_path(put(tmp_path, f"one.{suffix}", png(picture, suffix)))
    assert (source.rows, source.shape, source.dtype) == (1, shape, np.uint8)
    np.testing.assert_allclose(source.read(0, 1)[0], picture, atol=3)


def test_16_bits_stay_and_palettes_become_colors(tmp_path: Path) -> None:
    deep = np.arange(6, dtype=np.uint16).reshape(2, 3) * 10000
    source = open_path(put(tmp_path, "deep.png", png(deep)))
    assert source.dtype == np.uint16
    np.testing.assert_array_equal(source.read(0, 1)[0], deep)
    Image.new("P", (3, 2)).save(tmp_path / "palette.png")
    assert open_path(tmp_path / "palette.png").shape == (2, 3, 3)
    Image.new("1", (3, 2), 1).save(tmp_path / "bits.png")
    assert open_path(tmp_path / "bits.png").read(0, 1).max() == 255


@pytest.mark.parametrize("shape", [(5, 6), (4, 6, 3)])
def test_the_first_picture_that_differs_is_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    put(tmp_path, "1.png", png(np.zeros((4, 6), np.uint8)))
    put(tmp_path, "2.png", png(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match=r"2\.png is 6 x .* where 1\.png is 6 x 4, gray"):
        open_path(tmp_path)


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    data = png(RNG.integers(0, 255, (40, 40), dtype=np.uint8))
    put(tmp_path, "1.png", data)
    put(tmp_path, "2.png", data[:-200])
    source = open_path(tmp_path)
    source.read(0, 1)
    with pytest.raises(DataError, match=r"2\.png: damaged"):
        source.read(0, 2)


# --- paths


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    np.save(held, MATRIX)
    for data in (held.getvalue(), b"1,2\n3,4\n", idx(np.zeros((2, 3), np.uint8))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert open_path("-").rows in (57, 2)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,x\n2,y\n")))
    assert open_path("-").column(1, 0, 2).values.tolist() == ["x", "y"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    writer = subprocess.Popen(["sh", "-c", f"echo 1,2 > {tmp_path / 'pipe.csv'}"])
    np.testing.assert_array_equal(open_path(tmp_path / "pipe.csv").read(0, 1), [[1, 2]])
    writer.wait()


def test_what_is_inside_counts_where_the_name_says_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", MATRIX)
    (tmp_path / "t.npy").rename(tmp_path / "data")
    assert open_path(tmp_path / "data").rows == 57
    assert open_path(put(tmp_path, "numbers", "1 2\n3 4\n")).shape == (2,)
    assert open_path(put(tmp_path, "packed", gzip.compress(b"1,2\n"))).shape == (2,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp3", b"\x01\x02\x03", "Possible are csv"),
        ("a.csv.gz", b"1,2", "no gzip file"),
        ("a.npy", b"1,2\n", "no npy file"),
        ("a.npz", b"1,2\n", "no npz file"),
        ("a.zip", b"1,2\n", "no zip file"),
        ("a.parquet", b"1,2\n", "no Parquet file"),
        ("a.png", b"1,2\n", "no png or jpeg"),
        ("a.idx", b"1,2\n", "no IDX file"),
        ("a.npy", b"", "empty"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_path(put(tmp_path, name, content))


def test_nothing_at_a_path(tmp_path: Path) -> None:
    for path, message in [("no.csv", "No such file"), ("*.png", "nothing is called"), ("a\0b", "zero byte")]:
        with pytest.raises(DataError, match=message):
            open_path(f"{tmp_path}/{path}")
    with pytest.raises(DataError, match="no pictures in it"):
        open_path(tmp_path)


def test_a_source_closes_its_file(tmp_path: Path) -> None:
    write(MATRIX, tmp_path / "t.csv")
    source = open_path(tmp_path / "t.csv")
    del source  # an unclosed file would warn, and warnings are errors


# --- hostile files


def valid_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for name in KINDS:
            write(MATRIX[:9], Path(folder) / name, names=NAMES)
        files = {name: (Path(folder) / name).read_bytes() for name in KINDS}
    pictures = np.random.default_rng(2).integers(0, 255, (3, 9, 9), dtype=np.uint8)
    files |= {"t.idx": idx(pictures), "t.idx.gz": gzip.compress(idx(pictures)), "t.png": png(pictures[0])}
    files["t.jpg"] = png(pictures[0], "jpeg")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.png", files["t.png"])
    files["t.zip"] = held.getvalue()
    return files


VALID = valid_files()


def read_or_refuse(path: Path) -> None:
    try:
        source = open_path(path)
        source.read(0, source.rows)
    except DataError:
        pass


@pytest.mark.parametrize("name", [name for name in VALID if name not in ("t.csv", "t.tsv")])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    data = VALID[name]
    for end in sorted({*range(1, len(data), max(1, len(data) // 40)), len(data) - 1}):
        try:
            source = open_path(put(tmp_path, name, data[:end]))
            values = source.read(0, source.rows)
        except DataError:
            continue
        # A picture that is cut behind its last pixel is whole.
        assert name in ("t.png", "t.jpg"), f"{end} of {len(data)} bytes were read"
        np.testing.assert_array_equal(values, open_path(put(tmp_path, name, data)).read(0, 1))


@pytest.mark.parametrize("name", VALID)
@settings(max_examples=60, deadline=5000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(VALID[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    read_or_refuse(put(tmp_path, name, bytes(content)))


@pytest.mark.parametrize("name", ["t.csv", "t", *VALID])
@settings(max_examples=25, deadline=5000, suppress_health_check=list(HealthCheck))
@given(content=st.binary(min_size=1, max_size=80))
def test_random_bytes_are_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    read_or_refuse(put(tmp_path, name, content))


@settings(max_examples=150, deadline=5000, suppress_health_check=list(HealthCheck))
@given(content=st.text(st.sampled_from("0123456789.,;\t|\"' \n\r-+eEaN?_#é\x00"), min_size=1, max_size=60))
def test_random_tables_are_read_or_refused(tmp_path: Path, content: str) -> None:
    read_or_refuse(put(tmp_path, "t.csv", content))


def zeros_in_zip(name: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        member.write(npy_head((1 << 27,), "|u1"))
        member.write(bytes(1 << 27))
    return held.getvalue()


def npy_head(shape: tuple[int, ...], descr: str) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": descr, "fortran_order": False, "shape": shape})
    return held.getvalue()


def zeros_in_parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = np.zeros(1 << 18)
    table = pa.table({f"c{at}": zeros for at in range(96)})
    held = io.BytesIO()
    with pq.ParquetWriter(held, table.schema) as writer:
        for _ in range(4):
            writer.write_table(table)
    return held.getvalue()


def large_png() -> bytes:
    data = bytearray(png(np.zeros((4, 4), np.uint8)))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


BOMBS: dict[str, Callable[[], bytes]] = {
    "rows.parquet": zeros_in_parquet,
    "pixels.png": large_png,
    "header.npy": lambda: npy_head((10**6, 10**6), "<f4") + bytes(64),
    "long.npy": lambda: b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 100,
    "member.npz": lambda: zeros_in_zip("X.npy"),
    "picture.zip": lambda: zeros_in_zip("a.png"),
    "zeros.csv.gz": lambda: gzip.compress(bytes(1 << 27), 6),
    "line.csv.gz": lambda: gzip.compress(b"0," * (1 << 24), 6),
    "pixels.idx.gz": lambda: gzip.compress(idx(np.zeros((1 << 17, 32, 32), np.uint8)), 6),
    "header.idx": lambda: bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3,
    "nested.csv": lambda: b"[" * 10**6,
}
MEASURE = """
import json, resource, sys, time
import numpy, pyarrow.parquet, PIL.Image
from diabolo.core.errors import DataError
from diabolo.data.files import open_path
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for path in sys.argv[1:]:
    before, begin, error = peak(), time.perf_counter(), None
    try:
        source = open_path(path)
        source.read(0, 1)
    except DataError as caught:
        error = str(caught)[-200:]
    print(json.dumps([path, time.perf_counter() - begin, peak() - before, error]))
"""


def test_bombs_are_refused_in_a_second_and_little_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    paths = [str(put(tmp_path, name, make())) for name, make in BOMBS.items()]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True, timeout=60
    )
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == len(paths)
    for path, seconds, megabytes, error in told:
        assert error, f"{path} was not refused"
        assert seconds < 2, f"{path} took {seconds} s"  # a second on an idle machine
        assert megabytes < 100, f"{path} took {megabytes} MB"


def test_memory_stays_constant_over_a_large_table(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    block = "".join(f"{row},{row * 0.5}\n" for row in range(1000)) * 40
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        for _ in range(60):
            file.write(block)
    code = (
        "import resource, sys\nfrom diabolo.data.files import open_path\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "small = open_path(sys.argv[2]); small.read(0, 9)\nbefore = peak()\n"
        "source = open_path(sys.argv[1])\n"
        "for start in range(0, source.rows, 100_000): source.read(start, start + 1000)\n"
        "print(source.rows, peak() - before)"
    )
    small = put(tmp_path, "small.csv", block)
    ran = subprocess.run([sys.executable, "-c", code, path, small], capture_output=True, text=True, check=True)
    rows, grown = ran.stdout.split()
    assert int(rows) == 2_400_000
    assert float(grown) < 10


# --- the data sets, where they are


@needs_data
def test_mnist_files() -> None:
    labels = FOLDER / "mnist" / "t10k-labels-idx1-ubyte.gz"
    source = open_path(FOLDER / "mnist" / "t10k-images-idx3-ubyte.gz", label=str(labels))
    assert (source.rows, source.shape, source.dtype) == (10000, (28, 28), np.uint8)
    assert source.labels is not None
    assert source.labels[:5].tolist() == [7, 2, 1, 0, 4]


@needs_data
def test_real_tables() -> None:
    source = open_path(FOLDER / "tables" / "horse-colic.csv")
    theirs = pd.read_csv(FOLDER / "tables" / "horse-colic.csv", header=None, na_values=["?"])
    np.testing.assert_array_equal(source.read(0, 300), theirs.to_numpy())
    mixed = open_path(FOLDER / "tables" / "titanic.csv")
    assert (mixed.mixed, mixed.rows, mixed.shape) == (True, 891, (15,))
    source = open_path(FOLDER / "tables" / "california_housing.csv.gz", label="ocean_proximity")
    assert (source.rows, source.shape) == (20640, (9,))
    assert np.isnan(source.read(0, 20640)).sum() == 207


@needs_data
def test_real_pictures_and_archives() -> None:
    source = open_path(FOLDER / "images" / "cifar10-jpeg" / "test.zip")
    assert (source.rows, source.shape) == (4000, (32, 32, 3))
    assert source.labels is not None
    assert len(set(source.labels.tolist())) == 10
    assert open_path(FOLDER / "single-cell" / "worm_neuron.npz").shape == (13488,)
    with pytest.raises(DataError, match=r"img_002\.png is 288 x 288"):
        open_path(FOLDER / "images" / "set5")

"""Laws of what lies in memory: read as it is, or refused by a name and a place."""

from __future__ import annotations

import decimal
import subprocess
import sys

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from diabolo import AnomalyDetector, Autoencoder, Generator, Imputer
from diabolo.core.errors import DataError
from diabolo.data.memory import ArraySource, FrameSource, SparseSource, in_memory

MATRIX = np.random.default_rng(0).normal(size=(23, 4))
NAMES = ["a", "b", "c", "d"]
KINDS = {
    "array": MATRIX,
    "fortran": np.asfortranarray(MATRIX),
    "backwards": MATRIX[::-1][::-1],
    "big endian": MATRIX.astype(">f8"),
    "object": MATRIX.astype(object),
    "masked": np.ma.masked_array(MATRIX),
    "lists": MATRIX.tolist(),
    "tuples": tuple(map(tuple, MATRIX.tolist())),
    "list of arrays": list(MATRIX),
    "list of tensors": list(torch.from_numpy(MATRIX)),
    "tensor": torch.from_numpy(MATRIX),
    "tensor with gradient": torch.from_numpy(MATRIX).clone().requires_grad_(),
    "sparse tensor": torch.from_numpy(MATRIX).to_sparse(),
    "csr": sp.csr_matrix(MATRIX),
    "coo": sp.coo_array(MATRIX),
    "pandas": pd.DataFrame(MATRIX, columns=NAMES),
    "pandas with numbers for names": pd.DataFrame(MATRIX),
    "pandas nullable": pd.DataFrame(MATRIX, columns=NAMES).convert_dtypes(),
    "pandas objects": pd.DataFrame(MATRIX, columns=NAMES).astype(object),
    "polars": pl.DataFrame(MATRIX, schema=NAMES),
    "pyarrow": pa.table({name: MATRIX[:, at] for at, name in enumerate(NAMES)}),
    "record batch": pa.record_batch({name: MATRIX[:, at] for at, name in enumerate(NAMES)}),
    "narwhals": nw.from_native(pl.DataFrame(MATRIX, schema=NAMES)),
}
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_the_same_matrix(kind: str) -> None:
    source = in_memory(KINDS[kind])
    assert (source.rows, source.shape, source.dtype) == (23, (4,), np.dtype(float))
    np.testing.assert_array_equal(source.read(0, 23), MATRIX)
    assert source.bytes == 4 * 23 * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_is_a_slice_of_the_whole(kind: str) -> None:
    source = in_memory(KINDS[kind])
    whole = source.read(0, source.rows)
    draws = np.random.default_rng(1).integers(-3, 30, size=(20, 2))
    for start, stop in [*draws.tolist(), (0, 0), (23, 23), (22, 99)]:
        np.testing.assert_array_equal(source.read(start, stop), whole[max(start, 0) : max(stop, 0)])


@pytest.mark.parametrize("kind", KINDS)
def test_torch_can_share_what_is_read(kind: str) -> None:
    torch.from_numpy(in_memory(KINDS[kind]).read(1, 5))  # warns, and so fails, where it may not write


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 3, 2), (5, 3, 2, 3)])
def test_arrays_keep_dtype_and_shape_and_are_not_copied(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    source = in_memory(array)
    assert source.dtype == dtype
    assert source.shape == shape[1:]
    assert np.shares_memory(source.read(1, 3), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_and_sparse_matrices_keep_their_dtype(dtype: str) -> None:
    array = np.eye(3).astype(dtype)
    assert in_memory(torch.from_numpy(array)).dtype == dtype
    if dtype != "float16":  # scipy has no sparse matrix of it
        assert in_memory(sp.csr_array(array)).dtype == dtype


def test_bfloat16_becomes_float32() -> None:
    source = in_memory(torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16))
    np.testing.assert_array_equal(source.read(0, 1), np.array([[1.5, -2.0]], dtype=np.float32))
    assert source.dtype == np.float32


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_keep_names_and_dtypes_and_read_nulls_as_nan(make: type) -> None:
    source = in_memory(make({"age": [3, None], "tall": [True, False], "size": np.array([1, 2], np.float32)}))
    assert isinstance(source, FrameSource)
    assert source.names == ("age", "tall", "size")
    assert source.dtypes == ("float64" if make is pd.DataFrame else "int64", "bool", "float32")
    np.testing.assert_array_equal(source.read(0, 2), [[3, 1, 1], [np.nan, 0, 2]])


def test_frames_of_one_dtype_are_read_in_it() -> None:
    frame = pd.DataFrame({"a": np.array([1, 2], np.int16), "b": np.array([3, 4], np.int8)})
    assert in_memory(frame).dtype == np.int16
    assert in_memory(frame.astype("float32")).dtype == np.float32
    assert in_memory(frame > 1).dtype == bool


def test_decimals_and_nullable_booleans_are_numbers() -> None:
    frame = pl.DataFrame({"price": [decimal.Decimal("1.5"), None], "sold": [True, None]})
    np.testing.assert_array_equal(in_memory(frame).read(0, 2), [[1.5, 1], [np.nan, np.nan]])


def test_a_pandas_index_is_kept() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
    assert list(in_memory(frame).index) == ["x", "y"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_cells_of_objects_are_nan(missing: object) -> None:
    np.testing.assert_array_equal(in_memory(np.array([[1, missing]], object)).read(0, 1), [[1, np.nan]])


def test_masked_cells_are_nan_and_never_their_fill() -> None:
    masked = np.ma.masked_equal(np.array([[1, 2], [3, 4]], np.int16), 3)
    np.testing.assert_array_equal(in_memory(masked).read(0, 2), [[1, 2], [np.nan, 4]])


def test_only_the_stretch_of_a_sparse_matrix_becomes_dense() -> None:
    wide = sp.csr_array((np.ones(2), ([0, 10**6 - 1], [0, 10**6 - 1])), shape=(10**6, 10**6))
    source = in_memory(wide)
    assert isinstance(source, SparseSource)
    assert source.read(10**6 - 1, 10**6).sum() == 1


REFUSED = {
    "a list with a lone number": ([[1, 2], 3], "row 1 holds 1 cells"),
    "rows of different shapes": ([[[1, 2], [3]], [[1, 2], [3, 4]]], "same shape"),
    "no rows": ([], "0 sample"),
    "an array of no rows": (np.zeros((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1"),
    "no columns": (np.zeros((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
    "an empty frame": (pd.DataFrame(), "0 sample"),
    "a frame of no rows": (pd.DataFrame({"a": np.zeros(0)}), "0 sample"),
    "a number": (np.float64(3), "no rows"),
    "complex numbers": (np.ones((2, 2)) * 1j, "Complex data not supported"),
    "complex objects": (np.array([[1, 2j]], object), "Complex data not supported"),
    "a complex sparse matrix": (sp.eye(3) * 1j, "Complex data not supported"),
    "a complex tensor": (torch.ones(2, 2) * 1j, "Complex data not supported"),
    "text in a list": ([[1, 2], [3, "abc"]], "row 1, column 1 is 'abc'"),
    "text in objects": (np.array([[1, 2], ["abc", 3]], object), "row 1, column 0 is 'abc'"),
    "an array of text": (np.array([["a"]]), "row 0, column 0 is 'a'"),
    "dates": (np.array([["2020-01-01"]], "M8[D]"), "Give dates as the column of a frame"),
    "durations": (np.array([[1]], "m8[D]"), "Divide the durations"),
    "a structured array": (np.zeros(2, "i4,f4"), "as a frame"),
    "a dict in a cell": (np.array([[1, {"a": 1}]], object), "argument must be a string or a real number"),
    "too large an integer": ([[10**400]], "no number"),
    "names that come twice": (pd.DataFrame(np.eye(2), columns=["a", "a"]), "'a' comes more than once"),
    "arrow names that come twice": (pa.table([[1], [2]], names=["a", "a"]), "'a' comes more than once"),
    "a lazy frame": (pl.DataFrame({"a": [1]}).lazy(), "collect"),
    "a path": ("data.csv", "open_path"),
    "bytes": (b"1,2", "open_path"),
    "None": (None, "cannot be read"),
    "a dict": ({"a": [1]}, "cannot be read"),
    "a generator": ((row for row in [[1]]), "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_the_place(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        in_memory(data, "the training data")
    assert str(caught.value).startswith("the training data: ")


def test_a_lazy_frame_is_refused_by_whatever_takes_data() -> None:
    frame = pl.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) % 7})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    detector = AnomalyDetector(FrozenEstimator(model), random_state=0).fit(frame)
    imputer = Imputer(FrozenEstimator(model), random_state=0).fit(frame)
    for lazy in (frame.lazy(), nw.from_native(frame.lazy())):
        for call in (
            *(clone(made).fit for made in (model, detector, imputer, AnomalyDetector(), Imputer(), Generator())),
            lambda data: clone(model).fit(frame, degraded=data),
            *(getattr(model, name) for name in ("plan", "transform", "reconstruct", "score_samples", "score")),
            *(getattr(detector, name) for name in ("predict", "anomaly_score", "is_anomaly", "explain")),
            imputer.transform,
        ):
            with pytest.raises(DataError, match=r"a lazy frame has no rows yet; call its collect\(\) first"):
                call(lazy)


def test_a_cell_of_a_wrong_type_is_a_type_error_too() -> None:
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        in_memory(np.array([[{"foo": "bar"}]], object))


def test_sources_stay_what_they_are() -> None:
    source = ArraySource(MATRIX)
    assert in_memory(source) is source


def test_torch_is_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from diabolo.data.memory import in_memory\n"
        "from diabolo.data.files import open_path\n"
        "import diabolo.data.examples, diabolo.data.writers\n"
        "in_memory(np.eye(2)).read(0, 1)\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'polars', 'pyarrow', 'PIL', 'scipy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

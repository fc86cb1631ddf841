"""Laws of sequences of unequal length: aligned at their end, counted without padding, written back as they were."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diabolo.core.errors import DataError, ShapeError
from diabolo.data.choosing import fit_modality, open_data
from diabolo.data.files import open_path
from diabolo.data.memory import ArraySource, in_memory
from diabolo.data.modality import restore
from diabolo.data.ragged import RaggedSource
from diabolo.data.scaling import stretches, survey
from diabolo.data.sequences import Sequences
from diabolo.data.source import Source
from diabolo.data.timeseries import SeriesSource
from diabolo.data.writers import write

GENERATOR = np.random.default_rng(0)
FLAT = [GENERATOR.normal(size=length) for length in (4, 1, 7, 7, 2)]
WIDE = [GENERATOR.normal(size=(length, 3)) for length in (4, 1, 7, 7, 2)]
KINDS: dict[str, Any] = {
    "list of arrays": FLAT,
    "tuple of arrays": tuple(FLAT),
    "lists": [row.tolist() for row in FLAT],
    "tensors": [torch.from_numpy(row) for row in FLAT],
    "object array": np.array(FLAT, dtype=object),
    "series": [pd.Series(row) for row in FLAT],
    "wide arrays": WIDE,
    "wide lists": [row.tolist() for row in WIDE],
    "wide tensors": [torch.from_numpy(row).requires_grad_() for row in WIDE],
    "wide object array": np.array(WIDE, dtype=object),
    "wide frames": [pd.DataFrame(row) for row in WIDE],
}


def ts(text: str) -> SeriesSource:
    return SeriesSource(io.BytesIO(text.encode()), "t.ts")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_aligned_at_its_end(kind: str) -> None:
    source = open_data(KINDS[kind])
    expected = WIDE if "wide" in kind else FLAT
    assert (source.rows, source.shape) == (5, (7, *expected[0].shape[1:]))
    assert source.lengths is not None
    assert source.lengths.tolist() == [4, 1, 7, 7, 2]
    assert source.features == (3 if "wide" in kind else 1)
    whole = source.read(0, 5)
    for row, sequence in zip(whole, expected, strict=True):
        assert np.array_equal(row[7 - len(sequence) :], sequence)
        assert np.isnan(row[: 7 - len(sequence)]).all()
    for start, stop in [(0, 0), (1, 3), (-2, 9), (4, 5)]:
        assert np.array_equal(source.read(start, stop), whole[max(start, 0) : stop], equal_nan=True)
    assert isinstance(fit_modality(source), Sequences)


def test_rows_of_one_length_are_a_table_as_ever() -> None:
    for rows in ([[1, 2], [3, 4]], [np.ones(2), np.zeros(2)], np.array([[1, 2], [3, 4]], dtype=object)):
        source = in_memory(rows)
        assert isinstance(source, ArraySource)
        assert source.lengths is None
        assert fit_modality(source).name == "arrays"
    equal = np.empty(2, dtype=object)
    equal[:] = [np.ones(2), np.zeros(2)]
    assert in_memory(equal).shape == (2,)


@pytest.mark.parametrize(
    ("dtypes", "read"),
    [(["float32"] * 2, "float32"), (["float16"] * 2, "float16"), (["int8", "bool"], "float64"), (["f4", "f8"], "f8")],
)
def test_floats_keep_their_dtype_and_whole_numbers_become_floats(dtypes: list[str], read: str) -> None:
    source = in_memory([np.ones(size, dtype) for size, dtype in zip((2, 3), dtypes, strict=True)])
    assert source.dtype == read
    assert source.read(0, 2).dtype == read


REFUSED = {
    "an empty sequence": ([[1.0, 2.0], []], "row 1 is empty"),
    "an empty sequence of channels": ([np.ones((2, 3)), np.ones((0, 3))], "row 1 is empty"),
    "a lone number": ([[1, 2], 3], "row 1 holds 1 cells"),
    "other channels": ([np.ones((2, 3)), np.ones((4, 2))], "row 1 has 2 channels, where row 0 has 3"),
    "other axes": ([np.ones(2), np.ones((3, 1))], "row 1 has 2 axes, where row 0 has 1"),
    "pictures of several sizes": ([np.ones((2, 2, 1)), np.ones((3, 3, 1))], r"row 0 has shape \(2, 2, 1\)"),
    "steps of several widths": ([[[1, 2], [3]], [[1, 2]]], "steps of row 0 do not all have the same shape"),
    "text in a sequence": ([[1.0], [2.0, "x"]], "sequence 1: row 1 is 'x'"),
    "complex numbers": ([np.ones(2), np.ones(3) * 1j], "sequence 1: Complex data not supported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sequence_is_refused_by_name(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        in_memory(data)


def test_infinite_and_extreme_steps_are_named_as_they_are_counted_in_the_sequence() -> None:
    rows = [np.zeros((5, 2)), np.zeros((3, 2))]
    rows[1][2, 1] = np.inf
    with pytest.raises(DataError, match=r"row 1, step 2, channel 1 .*infinity"):
        Sequences.fit(in_memory(rows), "standard")
    modality = Sequences.fit(in_memory([np.arange(5.0), np.arange(3.0)]), "standard")
    with pytest.raises(DataError, match=r"row 0, step 1 .*too far"):
        modality.read(in_memory([[0.0, 1e30], [1.0]]))


# What is counted


@pytest.mark.parametrize("rows", [FLAT, WIDE])
def test_statistics_are_those_of_the_steps_alone(rows: list[np.ndarray]) -> None:
    holes = [row.copy() for row in rows]
    holes[2][0], holes[0][3] = np.nan, np.nan
    source = in_memory(holes)
    every = np.concatenate([row.reshape(len(row), -1) for row in holes])
    assert survey(source).missing == np.isnan(every).sum()
    scaling = Sequences.fit(source, "standard").scaling
    assert np.allclose(scaling.center, np.nanmean(every, 0))
    assert np.allclose(scaling.scale, np.nanstd(every, 0))
    unit = Sequences.fit(source, "unit").scaling
    assert float(unit.center) == np.nanmin(every)
    assert float(unit.center + unit.scale) == pytest.approx(np.nanmax(every))
    assert unit.unit


def test_statistics_do_not_depend_on_the_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Sequences.fit(in_memory(WIDE), "standard")
    monkeypatch.setattr("diabolo.data.scaling.BLOCK_CELLS", 25)
    source = in_memory(WIDE)
    assert len(stretches(source)) == 5
    parts = Sequences.fit(source, "standard")
    assert np.allclose(parts.scaling.scale, whole.scaling.scale)
    assert np.allclose(parts.mean, whole.mean)
    assert torch.equal(parts.read_all(source).values, parts.read(source).values)


@pytest.mark.parametrize("rows", [FLAT, WIDE])
def test_what_is_not_there_is_neither_known_nor_seen(rows: list[np.ndarray]) -> None:
    source = in_memory(rows)
    for wanted in ("standard", "unit", "none"):
        modality = Sequences.fit(source, wanted)
        batch = modality.read(source)
        assert batch.known is not None
        for row, known in zip(rows, batch.known, strict=True):
            assert known[7 - len(row) :].all()
            assert not known[: 7 - len(row)].any()
        again = modality.write(batch.values, like=source)
        assert [back.shape for back in again] == [row.shape for row in rows]
        assert all(np.allclose(back, row, atol=1e-5) for back, row in zip(again, rows, strict=True))


# What is fitted and what comes later


def test_later_data_may_be_shorter_and_is_aligned_with_what_was_fitted() -> None:
    modality = Sequences.fit(in_memory(WIDE), "standard")
    whole = modality.read(in_memory(WIDE))
    assert whole.known is not None
    short: dict[int, Source] = {
        row: in_memory(data) for row, data in [(0, [WIDE[0]]), (1, WIDE[1][None]), (4, [WIDE[4].tolist()])]
    }
    for row, source in short.items():
        batch = modality.read(source)
        assert torch.equal(batch.values[0], whole.values[row])
        assert batch.known is not None
        assert torch.equal(batch.known[0], whole.known[row])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([np.ones((2, 3)), np.ones((8, 3))], "row 1 has 8 steps, and the longest sequence at fit had 7"),
        (np.ones((2, 9, 3)), "row 0 has 9 steps"),
        ([np.ones((2, 2)), np.ones((3, 2))], "3 channels"),
        ([np.ones(2), np.ones(3)], "3 channels"),
        (np.ones((2, 3, 3, 3)), "3 channels"),
    ],
)
def test_longer_and_other_sequences_are_refused_by_name(data: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Sequences.fit(in_memory(WIDE), "standard").read(in_memory(data))


def test_room_can_be_kept_for_longer_ones() -> None:
    modality = Sequences.fit(in_memory(WIDE), "standard")
    roomy = modality.with_room(10)
    assert roomy.shape == (10, 3)
    ten = np.ones((10, 3))
    assert roomy.read(in_memory([ten, WIDE[0]])).known[0].all()  # type: ignore[index]
    assert torch.equal(roomy.read(in_memory(WIDE)).values[:, 3:], modality.read(in_memory(WIDE)).values)
    assert np.array_equal(roomy.mean[3:], modality.mean)
    assert modality.with_room(None) is modality
    with pytest.raises(ShapeError, match="longest came as 5"):
        modality.with_room(5)


def test_a_modality_of_sequences_comes_back() -> None:
    modality = Sequences.fit(in_memory(WIDE), "standard").with_room(9)
    again = restore(*modality.describe())
    assert isinstance(again, Sequences)
    assert again.varies
    source = in_memory(WIDE)
    assert torch.equal(again.read(source).values, modality.read(source).values)


def test_other_models_refuse_sequences() -> None:
    table = fit_modality(in_memory(np.ones((4, 7))))
    with pytest.raises(ShapeError, match="rows of unequal length"):
        table.read(in_memory(FLAT))


# Files


TEXT = """# comment
@problemName walking
@timestamps false
@univariate false
@classLabel true a b
@data
1,2.5,?:4,5,6:a

7:-8e-1:b
"""


def test_series_files_are_read_with_their_labels() -> None:
    source = ts(TEXT)
    assert (source.rows, source.shape) == (2, (3, 2))
    assert source.labels is not None
    assert source.labels.tolist() == ["a", "b"]
    nan = np.nan
    np.testing.assert_array_equal(
        source.read(0, 2), [[[1, 4], [2.5, 5], [nan, 6]], [[nan, nan], [nan, nan], [7, -0.8]]]
    )
    np.testing.assert_array_equal(source.read(1, 2)[0, -1], [7, -0.8])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_series_of_one_channel_and_without_labels(ending: str) -> None:
    source = ts(f"\ufeff@classLabel false{ending}@data{ending}1,2{ending}3")
    assert source.shape == (2,)
    assert source.labels is None
    np.testing.assert_array_equal(source.read(0, 2), [[1, 2], [np.nan, 3]])
    target = ts("@targetLabel true\n@data\n1,2:0.5\n3:7")
    assert target.labels is not None
    assert target.labels.tolist() == [0.5, 7.0]


BAD = {
    "text": ("@data\n1,2\n3,x\n", "line 3, step 1: 'x' is no number"),
    "an empty sequence": ("@classlabel true a\n@data\n1:a\n:a\n", "line 4: a sequence without steps"),
    "an empty channel": ("@data\n1:\n", "line 2: a sequence without steps"),
    "channels of several lengths": ("@data\n1,2:3\n", "line 2: its channels have 2, 1 steps"),
    "other channels": ("@data\n1:2\n3\n", "line 3: 1 channels, where the first sequence has 2"),
    "no label": ("@classlabel true a\n@data\n1,2:a\n1,2\n", "line 4: no class label"),
    "no data": ("@classlabel true a\n", "no line says @data"),
    "no rows": ("@data\n", r"0 sample\(s\)"),
    "time stamps": ("@timeStamps true\n@data\n(0,1)\n", "time stamps are not read"),
    "a table": ("a,b\n1,2\n", "before @data"),
    "a tail of spaces": ("@data\n1,2\n3,1_000\n", "'1_000' is no number"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_series_files_are_refused_with_the_line(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError, match=message) as caught:
        ts(text)
    assert str(caught.value).startswith("t.ts")


def test_a_small_file_that_fills_up_to_much_is_refused() -> None:
    with pytest.raises(DataError, match="filled up to its longest sequence"):
        ts("@data\n" + ",".join("1" * 30_000) + "\n" + "1\n" * 30_000)


def test_a_series_file_is_no_utf8_or_has_other_labels(tmp_path: Path) -> None:
    (tmp_path / "t.ts").write_bytes(b"@data\n1,\xff\n")
    with pytest.raises(DataError, match="line 2: byte 2 of it is no UTF-8"):
        open_path(tmp_path / "t.ts")
    (tmp_path / "t.ts").write_text(TEXT)
    with pytest.raises(DataError, match="declares its own"):
        open_path(tmp_path / "t.ts", label="y")
    (tmp_path / "y.csv").write_text("5\n6\n")
    source = open_path(tmp_path / "t.ts", label=str(tmp_path / "y.csv"))
    assert source.labels is not None
    assert source.labels.tolist() == [5, 6]


def test_packed_series_and_a_file_that_changes(tmp_path: Path) -> None:
    (tmp_path / "t.ts.gz").write_bytes(gzip.compress(TEXT.encode()))
    np.testing.assert_array_equal(open_path(tmp_path / "t.ts.gz").read(0, 2), ts(TEXT).read(0, 2))
    (tmp_path / "t.ts").write_text(TEXT)
    source = open_path(tmp_path / "t.ts")
    (tmp_path / "t.ts").write_text(TEXT.replace("7:-8e-1:b", "7,8,9,9,9:1,1,1,1,1:b"))
    with pytest.raises(DataError, match="changed"):
        source.read(0, 2)


@settings(max_examples=150, deadline=5000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_changed_series_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    (tmp_path / "t.ts").write_bytes(bytes(content))
    try:
        source = open_path(tmp_path / "t.ts")
        source.read(0, source.rows)
    except DataError:
        pass


@pytest.mark.parametrize("rows", [FLAT, WIDE, [row.astype(np.float32) for row in WIDE]])
def test_sequences_are_written_and_read_back_to_the_same_bits(rows: list[np.ndarray], tmp_path: Path) -> None:
    rows = [row.copy() for row in rows]
    rows[3][1] = np.nan
    write(rows, tmp_path / "t.ts")
    source, held = open_path(tmp_path / "t.ts"), RaggedSource(rows)
    assert source.shape == held.shape
    assert source.lengths is not None
    assert source.lengths.tolist() == held.lengths.tolist()
    np.testing.assert_array_equal(source.read(0, 5).astype(held.dtype), held.read(0, 5))
    text = (tmp_path / "t.ts").read_text()
    assert "@missing true" in text
    assert "@equalLength false" in text


def test_only_series_files_take_unequal_lengths(tmp_path: Path) -> None:
    for name in ("t.csv", "t.npy", "-"):
        with pytest.raises(DataError, match=r"name that ends in \.ts"):
            write(FLAT, name if name == "-" else tmp_path / name)
    write([np.ones(2), np.zeros(2)], tmp_path / "t.csv")  # alike: a table as ever
    with pytest.raises(DataError, match="only sequences"):
        write({"a": np.ones(2)}, tmp_path / "t.ts")
    assert not (tmp_path / "t.ts").exists()


def test_real_series(data_folder: Path) -> None:
    folder = data_folder / "timeseries" / "ucr"
    vowels = open_path(folder / "JapaneseVowels" / "JapaneseVowels_TEST.ts.gz")
    assert (vowels.rows, vowels.shape) == (370, (29, 12))
    assert vowels.lengths is not None
    assert (vowels.lengths.min(), vowels.lengths.max()) == (7, 29)
    assert vowels.labels is not None
    assert set(vowels.labels.tolist()) == set(range(1, 10))
    equal = open_path(folder / "ItalyPowerDemand" / "ItalyPowerDemand_TRAIN.ts.gz")
    assert equal.shape == (24,)
    assert equal.padding == 0
    assert isinstance(fit_modality(equal), Sequences)

"""Laws of the container: what was written comes back, and whatever else lies there is refused by name."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from diabolo.core import files
from diabolo.core.errors import ModelFileError
from diabolo.core.files import (
    FORMAT,
    Container,
    atomic,
    read_container,
    read_description,
    verify_container,
    write_container,
)

DTYPES = [getattr(torch, word) for word, _ in files._DTYPES.values()]
DESCRIPTION = {"format": 1, "kind": "model", "estimator": "VAE", "parameters": {"code_size": 2, "beta": 1.5}}
KILLS = int(os.environ.get("DIABOLO_KILLS", "20"))  # 200 by hand

quick = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "encoder.weight": torch.randn(16, 32, generator=generator),
        "encoder.bias": torch.randn(16, generator=generator).to(torch.bfloat16),
        "steps": torch.tensor(7),
        "known": torch.tensor([True, False, True]),
    }
    write_container(path, DESCRIPTION, tensors)
    return path


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def sealed(description: bytes, entries: bytes = b"", data: bytes = b"") -> bytes:
    """A container with a right digest, whatever its header says; `description` is the JSON literal."""
    header = files._PREFIX + files._ZEROS + b'","diabolo":' + description + b"}" + entries + b"}"
    header += b" " * (-len(header) % 8)
    whole = len(header).to_bytes(8, "little") + header + data
    digest = hashlib.sha256(whole).hexdigest().encode()
    return whole[: files._DIGEST_START] + digest + whole[files._DIGEST_STOP :]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def literal(text: str) -> bytes:
    return json.dumps(text).encode()


def entry(name: str, dtype: str = "U8", shape: str = "1", offsets: str = "0,1") -> bytes:
    return f',"{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{offsets}]}}'.encode()


def refused(path: Path, match: str = "") -> None:
    """Every way to read must refuse the file, and the message must begin with its name."""
    for read in (read_container, verify_container):
        with pytest.raises(ModelFileError, match=f"^{re.escape(str(path))}: .*{match}"):
            read(path)


# What was written comes back


tensors_of_any_kind = st.builds(
    lambda dtype, shape, seed: (
        torch.frombuffer(
            bytearray(random.Random(seed).randbytes(dtype.itemsize * max(1, int(np.prod(shape))))),
            dtype=torch.uint8,
        )
        .view(dtype if dtype != torch.bool else torch.uint8)[: int(np.prod(shape))]
        .reshape(shape)
        .to(dtype)
    ),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 4), max_size=4),
    st.integers(0, 2**32),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
names = st.text(st.characters(max_codepoint=127), max_size=12).filter(lambda name: name != "__metadata__")


@quick
@given(tensors=st.dictionaries(names, tensors_of_any_kind, max_size=6), values=json_values)
def test_round_trip(folder: Path, tensors: dict[str, torch.Tensor], values: Any) -> None:
    path = folder / "round.safetensors"
    description = {"format": 1, "values": values}
    write_container(path, description, tensors)
    found = read_container(path)
    assert found.description == read_description(path) == verify_container(path) == description
    assert found.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        back = found.tensors[name]
        assert (back.dtype, back.shape, bits(back)) == (tensor.dtype, tensor.shape, bits(tensor))
        assert back.device.type == "cpu"
        assert back.is_contiguous()
    pairs = {name: (tensor.dtype, bits(tensor)) for name, tensor in load_file(path).items()}
    assert pairs == {name: (tensor.dtype, bits(tensor)) for name, tensor in tensors.items()}
    with safetensors.safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["diabolo"]) == description


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_are_as_good_as_tensors(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.arange(12).reshape(3, 4).T.astype(np.dtype(dtype).newbyteorder(order))
    arrays = {"strided": array[::2], "scalar": array[1, 1:2].reshape(()), "empty": array[:0]}
    write_container(tmp_path / "array", DESCRIPTION, arrays)
    for name, tensor in read_container(tmp_path / "array").tensors.items():
        assert tensor.shape == arrays[name].shape
        assert np.array_equal(tensor.numpy(), arrays[name])


def test_tensors_are_read_into_memory_of_their_own(tmp_path: Path) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    views = {
        "weight": weight,
        "tied": weight,
        "transposed": weight.T,
        "expanded": weight[0].expand(4, 3),
        "parameter": torch.nn.Parameter(weight),
        "negative": torch._neg_view(weight),  # as of a conjugate's imaginary part: negated when it is read
    }
    write_container(tmp_path / "views", DESCRIPTION, views)
    found = read_container(tmp_path / "views").tensors
    assert all(torch.equal(found[name], views[name]) for name in views)
    found["weight"].zero_()
    assert torch.equal(found["tied"], weight)
    assert len({tensor.data_ptr() for tensor in found.values()}) == len(views)
    assert not any(tensor.requires_grad for tensor in found.values())


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.int64)}
    write_container(tmp_path / "one", {"format": 1, "kind": "model"}, tensors)
    write_container(tmp_path / "two", {"kind": "model", "format": 1}, dict(reversed(tensors.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_bytes_never_change_between_versions(tmp_path: Path) -> None:
    path = tmp_path / "golden"
    tensors = {"half": torch.tensor([1.5, -2.0], dtype=torch.float16), "count": torch.tensor(3)}
    write_container(path, {"format": 1, "kind": "model", "text": "µ \ud800"}, tensors)
    header = (
        b'{"__metadata__":{"sha256":"DIGEST",'
        b'"diabolo":"{\\"format\\":1,\\"kind\\":\\"model\\",\\"text\\":\\"\\\\u00b5 \\\\ud800\\"}"},'
        b'"count":{"dtype":"I64","shape":[],"data_offsets":[0,8]},'
        b'"half":{"dtype":"F16","shape":[2],"data_offsets":[8,12]}}'
    )
    digest = b"9b3234e091decb34e2115c8d9113a01fea49c492562a9c0254724a14ddab977b"
    header = header.replace(b"DIGEST", digest)
    header += b" " * (-len(header) % 8)
    data = b"\x03\0\0\0\0\0\0\0" + b"\x00\x3e\x00\xc0"
    assert path.read_bytes() == len(header).to_bytes(8, "little") + header + data


def test_the_documented_reader_works(model: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(code.splitlines()) <= 16
    scope: dict[str, Any] = {}
    exec(code, scope)
    description, tensors = scope["read"](model)
    assert description == DESCRIPTION
    for name, tensor in read_container(model).tensors.items():
        assert (tensors[name]["shape"], tensors[name]["data"]) == (list(tensor.shape), bits(tensor))
    damaged = bytearray(model.read_bytes())
    damaged[-1] ^= 1
    model.write_bytes(damaged)
    with pytest.raises(ValueError):
        scope["read"](model)


def test_a_description_is_read_without_torch_and_numpy(model: Path) -> None:
    code = (
        "import sys; from diabolo.core.files import *; import diabolo.core.files as files;"
        f"files.read_description({str(model)!r}); files.verify_container({str(model)!r});"
        "sys.exit(len({'torch', 'sklearn', 'numpy', 'safetensors'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# What cannot be written is refused before anything is touched


@pytest.mark.parametrize(
    ("description", "error", "match"),
    [
        ({}, ValueError, "format"),
        ({"format": True}, ValueError, "format"),
        ({"format": FORMAT + 1}, ValueError, "format"),
        ({"format": 1, "a": float("nan")}, ValueError, "JSON"),
        ({"format": 1, "a": {1: 2}}, TypeError, "key 1"),
        ({"format": 1, "a": [{None: 2}]}, TypeError, "key None"),
        ({"format": 1, "a": object()}, TypeError, "object"),
        ({"format": 1, "a": [0] * 300_000}, ValueError, "tensors"),
        ({"format": 1, "a": "x" * 2**24}, ValueError, "bytes"),
    ],
)
def test_senseless_descriptions(
    tmp_path: Path, description: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        write_container(tmp_path / "model", description, {})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("depth", [150, 100_000])
def test_deep_descriptions(tmp_path: Path, depth: int) -> None:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    with pytest.raises(ValueError, match="JSON"):
        write_container(tmp_path / "model", {"format": 1, "a": deep}, {})


@pytest.mark.parametrize(
    ("name", "tensor", "error"),
    [
        ("a", torch.ones(2, dtype=torch.complex64), TypeError),
        ("a", torch.ones(2).to_sparse(), TypeError),
        ("a", torch.ones(2, device="meta"), TypeError),
        ("a", np.array(["a"]), TypeError),
        ("a", np.array([object()]), TypeError),
        ("a", np.array(["2026-01-01"], dtype="datetime64[D]"), TypeError),
        ("a", [1.0], TypeError),
        (1, torch.ones(2), TypeError),
        ("__metadata__", torch.ones(2), ValueError),
        ("ä", torch.ones(2), ValueError),
        ("a", torch.ones([1] * 65), ValueError),
    ],
)
def test_senseless_tensors(tmp_path: Path, name: Any, tensor: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=re.escape(repr(name))):
        write_container(tmp_path / "model", DESCRIPTION, {name: tensor})
    assert names_in(tmp_path) == []


def test_too_many_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {str(number): np.zeros(1) for number in range(4)}
    write_container(tmp_path / "model", DESCRIPTION, tensors)
    monkeypatch.setattr(files, "MAX_TENSORS", 3)
    refused(tmp_path / "model", "more than 3 tensors")
    with pytest.raises(ValueError, match="at most 3"):
        write_container(tmp_path / "model", DESCRIPTION, tensors)


# Damage


def test_every_flipped_bit_is_refused(model: Path) -> None:
    whole = model.read_bytes()
    assert 8 * len(whole) > 20_000
    accepted = []
    with model.open("r+b", buffering=0) as file:
        for position, byte in enumerate(whole):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ (1 << bit)]), position)
                # the two share all their checks; read_container is the slower one
                read = read_container if (position + bit) % 8 == 0 else verify_container
                try:
                    read(model)
                    accepted.append((position, bit))
                except ModelFileError:
                    pass
            os.pwrite(file.fileno(), bytes([byte]), position)
    assert accepted == []
    verify_container(model)


def test_every_truncation_is_refused(model: Path) -> None:
    for length in reversed(range(model.stat().st_size)):
        os.truncate(model, length)
        with pytest.raises(ModelFileError, match=re.escape(str(model))):
            read_container(model)
        with pytest.raises(ModelFileError, match=re.escape(str(model))):
            read_description(model)


@pytest.mark.parametrize("tail", [b"\0", b" ", b"}", b"\0" * 4096])
def test_appended_bytes_are_refused(model: Path, tail: bytes) -> None:
    model.write_bytes(model.read_bytes() + tail)
    refused(model, "appended")


def test_exchanged_tensors_are_refused(model: Path) -> None:
    """Names and shapes are under the digest as well as values."""
    model.write_bytes(model.read_bytes().replace(b"encoder.bias", b"decoder.bias"))
    refused(model, "digest")


@quick
@given(data=st.binary(max_size=400))
def test_random_bytes_are_refused(folder: Path, data: bytes) -> None:
    path = folder / "random"
    path.write_bytes(data)
    refused(path)
    path.write_bytes(len(data).to_bytes(8, "little") + data)
    refused(path)


@pytest.fixture(scope="module")
def honest(folder: Path) -> bytes:
    tensors = {"a": np.ones(2), "b": np.ones((2, 1), bool), "c": np.zeros((0, 3))}
    write_container(folder / "honest", DESCRIPTION, tensors)
    return (folder / "honest").read_bytes()


pieces = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"0",
    b"-1",
    b"1e9",
    b"null",
    b"\xff",
    b"\xed\xa0\x80",
    b"\0",
]
pieces += [b'"shape":', b'"dtype":"F32"', b'"data_offsets":[0,1]', b"9" * 30, b"NaN", b"\\ud800"]
edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 20), st.sampled_from(pieces) | st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


@settings(quick, max_examples=400)
@given(edits=edits, reseal=st.booleans())
def test_mutated_files_are_refused_or_equal(
    folder: Path, honest: bytes, edits: list[tuple[float, int, bytes]], reseal: bool
) -> None:
    """Even with a right length and digest, nothing but our own error comes out."""
    path = folder / "mutated"
    header = honest[8:]
    for place, width, piece in edits:
        start = int(place * len(header))
        header = header[:start] + piece + header[start + width :]
    whole = (header.rfind(b"}") + 1).to_bytes(8, "little") + header
    if reseal and len(whole) > files._DIGEST_STOP:
        whole = whole[: files._DIGEST_START] + files._ZEROS + whole[files._DIGEST_STOP :]
        digest = hashlib.sha256(whole).hexdigest().encode()
        whole = whole[: files._DIGEST_START] + digest + whole[files._DIGEST_STOP :]
    path.write_bytes(whole)
    for read in (read_container, read_description, verify_container):
        try:
            found = read(path)
        except ModelFileError as error:
            assert str(error).startswith(str(path))  # noqa: PT017, refusing is one of two right answers
        else:
            assert isinstance(found, Container | dict)


@quick
@given(text=json_values.map(json.dumps) | st.text(), cut=st.integers(0, 50))
def test_senseless_sealed_descriptions_are_refused(folder: Path, text: str, cut: int) -> None:
    path = folder / "sealed"
    path.write_bytes(sealed(literal(text[:cut])))
    refused(path)


# Files with a right digest that nobody honest has written


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"format":1,"format":1}', "twice"),
        ('{"format":1,"a":[{"b":1,"b":2}]}', "twice"),
        ('{"format":1,"a":NaN}', "NaN"),
        ("[1]", "no JSON object"),
        ("{}", "format version"),
        ('{"format":0}', "format version"),
        ('{"format":true}', "format version"),
        ('{"format":"1"}', "format version"),
        ('{"format":2}', "newer version.*[Uu]pgrade diabolo"),
        ('{"format":' + "9" * 5000 + "}", "description"),
        ('{"format":1', "description"),
    ],
)
def test_sealed_descriptions(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(sealed(literal(text)))
    refused(path, match)


@pytest.mark.parametrize(
    ("entries", "data", "match"),
    [
        (entry("a") + entry("a", offsets="1,2"), b"12", "twice"),
        (entry("a") + entry("\\u0061", offsets="1,2"), b"12", "twice"),
        (entry("__metadata__"), b"1", "twice"),
        (entry("a") + entry("b"), b"1", "does not begin"),
        (entry("a", offsets="1,2"), b"12", "does not begin"),
        (entry("a", shape="2"), b"1", "number of bytes"),
        (entry("a", shape="0", offsets="5,0"), b"", "number of bytes|begin"),
        (entry("a", dtype="F8_E4M3"), b"1", "F8_E4M3.*Upgrade"),
        (entry("a", dtype="BOOL"), b"\2", "no bool"),
        (entry("a", shape="01"), b"1", "from byte"),
        (entry("a", shape="-1"), b"1", "from byte"),
        (entry("a", shape="1.0"), b"1", "from byte"),
        (entry("a", shape="true"), b"1", "from byte"),
        (entry("a", shape="1,"), b"1", "from byte"),
        (entry("a", shape=",".join(["1"] * 65)), b"1", "64 dimensions"),
        (entry("a", shape="0," + "9" * 18 + "," + "9" * 18, offsets="0,0"), b"", "impossible"),
        (entry("a", shape="9" * 40), b"1", "from byte"),
        (entry("a").replace(b",", b", "), b"1", "from byte"),
        (entry("a\n"), b"1", "no JSON"),
        (entry("ä"), b"1", "metadata"),
        (entry("a"), b"", "cut off"),
        (entry("a"), b"12", "appended"),
        (b"}", b"", "from byte"),
    ],
)
def test_sealed_headers(tmp_path: Path, entries: bytes, data: bytes, match: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(sealed(literal('{"format":1}'), entries, data))
    with pytest.raises(ModelFileError, match=f"^{re.escape(str(path))}: .*({match})"):
        read_container(path)


def test_the_helper_seals_rightly(tmp_path: Path) -> None:
    """Without it, the tests above could pass for a wrong digest."""
    path = tmp_path / "model"
    path.write_bytes(sealed(literal('{"format":1}'), entry("a"), b"1"))
    assert read_container(path).tensors["a"].tolist() == [49]


def test_newer_versions_and_damage_are_told_apart(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FORMAT", 2)
    write_container(model, DESCRIPTION | {"format": 2}, {})
    monkeypatch.undo()
    refused(model, "newer version")
    model.write_bytes(model.read_bytes().replace(b'format\\":2', b'format\\":3'))
    refused(model, "digest")


def test_files_that_shrink_while_they_are_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_head = files._read_head

    def shrinking(file: Any, size: int) -> Any:
        head = read_head(file, size)
        os.truncate(model, size - 1)
        return head

    write_container(model, DESCRIPTION, {"a": np.zeros(100_000)})  # more than is read ahead
    whole = model.read_bytes()
    monkeypatch.setattr(files, "_read_head", shrinking)
    for read in (read_container, verify_container):
        model.write_bytes(whole)
        with pytest.raises(ModelFileError, match="shrank"):
            read(model)


def test_too_little_memory_is_no_fault_of_the_file(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **settings: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(MemoryError, match="larger than the free memory"):
        read_container(model)


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_file({"a": torch.ones(2)}, path)
    refused(path, "safetensors file, but no diabolo model")
    save_file({"a": torch.ones(2)}, path, metadata={"format": "pt"})
    refused(path, "safetensors file, but no diabolo model")
    torch.save({"a": torch.ones(2)}, path)
    refused(path, "no safetensors file")
    refused(tmp_path, "folder")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "device")
    for missing in (tmp_path / "missing", path / "below"):
        with pytest.raises(FileNotFoundError, match="no such model file"):
            read_container(missing)


def test_a_rewritten_container_is_refused(model: Path) -> None:
    """Another program may keep the metadata and change the tensors: then the digest is not ours."""
    with safetensors.safe_open(model, "pt") as file:
        metadata = file.metadata()
    save_file({"other": torch.ones(2)}, model, metadata=metadata)
    refused(model)


BOMBS: dict[str, Callable[[], bytes]] = {
    "1.5 million tensors": lambda: (
        (header := b"{" + entry("a", shape="0", offsets="0,0")[1:] * 1_500_000 + b"}")
        and len(header).to_bytes(8, "little") + header
    ),
    "120,000 tensors in 6 MB": lambda: sealed(
        literal("{}"), b"".join(entry(str(number), shape="0", offsets="0,0") for number in range(120_000))
    ),
    "header of 2^63 bytes": lambda: (2**63).to_bytes(8, "little") + b"{}" * 100,
    "header of 2^64 - 1 bytes": lambda: b"\xff" * 8 + b"{}" * 100,
    "JSON nested 10^6 deep": lambda: sealed(literal('{"format":1,"a":' + "[" * 10**6 + "]" * 10**6 + "}")),
    "JSON nested 1,000 deep": lambda: sealed(literal('{"format":1,"a":' + "[" * 1000 + "]" * 1000 + "}")),
    "header nested 10^6 deep": lambda: (2 * 10**6).to_bytes(8, "little") + b'{"a":' * (4 * 10**5),
    "5 million lists": lambda: sealed(literal('{"format":1,"a":[' + "[]," * 5_000_000 + "0]}")),
    "120,000 keys": lambda: sealed(literal("{" + ",".join(f'"{number}":[]' for number in range(120_000)) + "}")),
    "7 million backslashes": lambda: sealed(b'"' + rb"\\" * 7_000_000 + b'"'),
    "shape of 3.6 TiB": lambda: sealed(
        literal('{"format":1}'), entry("a", "F32", "1000000,1000000", "0,4000000000000"), b"0" * 64
    ),
    "800,000 dimensions": lambda: sealed(literal("{}"), entry("a", shape="9" * 18 + ("," + "9" * 18) * 800_000)),
    "name of 12 MB": lambda: sealed(literal("{}"), entry("\\u0041" * 2_000_000, offsets="0,7")),
}


MEASURE = """
import sys, time
from pathlib import Path
from diabolo.core.errors import ModelFileError
from diabolo.core.files import verify_container

def peak():  # in KiB
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) if status.exists() else 0

before, start = peak(), time.process_time()
try:
    verify_container(sys.argv[1])
except ModelFileError:
    print(time.process_time() - start, (peak() - before) / 1024)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_quickly_and_in_little_memory(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[bomb]())
    with pytest.raises(ModelFileError) as caught:
        read_container(path)
    assert len(str(caught.value)) < 600 + len(str(path))
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, mebibytes = map(float, done.stdout.split())
    assert seconds < 1
    assert mebibytes < 95


# Old or new, never half


class Faults:
    """Makes the n-th write, sync or rename fail, and counts them."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, fail_at: int, error: BaseException, lasting: bool = True
    ) -> None:
        self.count, self.fail_at, self.error, self.lasting = 0, fail_at, error, lasting
        self.synced = 0
        faults = self

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                if faults.count + 1 == faults.fail_at:
                    super().write(bytes(data)[: len(data) // 2])
                faults.step()
                return super().write(data)

        monkeypatch.setattr(files, "_open", lambda path, mode: io.BufferedWriter(Raw(path, mode), 64))
        monkeypatch.setattr(files, "_fsync", self.fsync)
        monkeypatch.setattr(files, "_replace", lambda old, new: (faults.step(), Path(old).replace(new)))

    def fsync(self, number: int) -> None:
        self.synced += 1
        self.step()
        os.fsync(number)

    def step(self) -> None:
        self.count += 1
        if self.count == self.fail_at or (self.lasting and self.count > self.fail_at):
            raise self.error


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_the_nth_operation_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, lasting: bool, exists: bool
) -> None:
    path = tmp_path / "model"
    new = {str(number): np.full(100, number) for number in range(3)}
    outcomes = []
    while not outcomes or outcomes[-1] != "undisturbed":
        path.unlink(missing_ok=True)
        if exists:
            write_container(path, DESCRIPTION | {"kind": "old"}, {"a": np.ones(5)})
        old = path.read_bytes() if exists else None
        with monkeypatch.context() as patched, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            faults = Faults(patched, len(outcomes) + 1, error, lasting)
            try:
                write_container(path, DESCRIPTION | {"kind": "new"}, new)
            except type(error):
                outcomes.append("failed")
            else:
                outcomes.append("warned" if warned else "undisturbed")
        if outcomes[-1] == "failed" and faults.synced < 2:
            assert (path.read_bytes() if path.exists() else None) == old
        else:
            assert verify_container(path)["kind"] == "new"
        assert names_in(tmp_path) == (["model"] if path.exists() else [])
    # the header, three tensors, the digest, the file's sync and the rename; only then the folder's sync
    assert len(outcomes) > 8
    assert set(outcomes[:-2]) == {"failed"}
    assert outcomes[-2] == ("warned" if isinstance(error, OSError) else "failed")


def test_a_failed_write_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    Faults(monkeypatch, 2, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match=re.escape(repr(str(path)))):
        write_container(path, DESCRIPTION, {"a": np.ones(5)})


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic(path) as file:  # noqa: PT012
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["report.html"]


SAVER = """
import sys, numpy as np
from diabolo.core.files import write_container
number = int(sys.argv[2])
while True:
    number += 1
    write_container(sys.argv[1], {"format": 1, "number": number}, {"a": np.full(30_000, number)})
    if number % 1000 == 1:
        print(flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing kills that surely here")
def test_killed_while_saving(tmp_path: Path) -> None:
    path, number, generator = tmp_path / "model", 0, random.Random(0)
    for _ in range(KILLS):
        # the next one starts a thousand further, so that its first save can be told from the last of this one
        command = [sys.executable, "-c", SAVER, str(path), str(number + 1000 - number % 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # the first save is done
            time.sleep(generator.uniform(0, 0.05))
            process.kill()
        found = read_container(path)
        assert found.description["number"] > number
        number = found.description["number"]
        assert (found.tensors["a"] == number).all()


def test_writers_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "model"

    def save(number: int) -> None:
        for _ in range(20):
            write_container(path, {"format": 1, "number": number}, {"a": np.full(1000, number)})

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            found = read_container(path)
            assert (found.tensors["a"] == found.description["number"]).all()
    for thread in threads:
        thread.join()
    assert names_in(tmp_path) == ["model"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="name a file"), atomic(tmp_path / "folder"):
        pass
    with pytest.raises(FileNotFoundError, match="no such folder"), atomic(tmp_path / "missing" / "model"):
        pass
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="no regular file"), atomic(tmp_path / "pipe"):
            pass
        assert (tmp_path / "pipe").is_fifo()


def test_a_read_only_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="read-only"), atomic(path):
        pass
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="links and permissions of POSIX")
def test_links_permissions_and_long_names(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    with atomic(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"new", 0o640)
    long = tmp_path / ("ä" * 127)  # 254 of 255 bytes
    with atomic(long) as file:
        file.write(b"new")
    assert long.read_bytes() == b"new"

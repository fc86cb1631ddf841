"""A model is one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diabolo import (
    KL,
    MLP,
    VAE,
    Autoencoder,
    Conv,
    Gaussian,
    Generator,
    Masking,
    ModelFileError,
    ShapeError,
    load,
    verify,
)
from diabolo.core import Bottleneck, Code, parameters
from diabolo.core.files import read_container, write_container
from diabolo.estimators import Estimator

from .presets import PRESETS, small

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("cls", PRESETS)
def test_a_model_comes_back_as_it_was(cls: type[Estimator], table: np.ndarray, tmp_path: Path) -> None:
    table[0, 0] = np.nan
    model = small(cls, code_size=2, epochs=2).fit(table)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model)
    assert again.history_.rows == [{k: v for k, v in row.items() if k != "seconds"} for row in model.history_]
    model.fit(table).save(tmp_path / "twice.safetensors")
    assert (tmp_path / "twice.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    for ask in ("transform", "reconstruct", "score_samples"):
        assert np.array_equal(getattr(again, ask)(table), getattr(model, ask)(table))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    assert verify(tmp_path / "model.safetensors")["estimator"] == cls.__name__
    assert np.array_equal(again.fit(table).transform(table), model.transform(table))


def test_composed_models_and_pictures_come_back(pictures: np.ndarray, tmp_path: Path) -> None:
    model = Autoencoder(
        architecture=Conv(channels=(4,)),
        bottleneck=Gaussian(3),
        penalty=KL(0.5) + KL(0.1),
        corruption=Masking(0.1),
        epochs=1,
    ).fit(pictures[:100])
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model.set_params(random_state=model.seed_))
    assert np.array_equal(again.reconstruct(pictures[:5]), model.reconstruct(pictures[:5]))


def test_tied_weights_come_back(table: np.ndarray, tmp_path: Path) -> None:
    model = Autoencoder(code_size=2, architecture=MLP(hidden=(8,), tied=True), epochs=2).fit(table)
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(load(tmp_path / "model.safetensors").reconstruct(table), model.reconstruct(table))


def test_frames_come_back_as_frames(tmp_path: Path) -> None:
    import pandas as pd
    import polars as pl

    frame = pd.DataFrame(
        {"age": [30, 40, 50] * 10, "height": [1.6, 1.7, 1.8] * 10}, index=[f"row{i}" for i in range(30)]
    )
    model = Autoencoder(code_size=1, epochs=2).fit(frame)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors").reconstruct(frame)
    assert list(again.columns) == ["age", "height"]
    assert again.index.equals(frame.index)
    assert again.dtypes.astype(str).tolist() == ["int64", "float64"]
    other = model.reconstruct(pl.DataFrame({"age": [30, 40], "height": [1.6, 1.7]}))
    assert isinstance(other, pl.DataFrame)
    assert other.schema == {"age": pl.Int64, "height": pl.Float64}


def test_the_encoder_alone(table: np.ndarray, tmp_path: Path) -> None:
    model = VAE(code_size=2, epochs=1).fit(table)
    model.save(tmp_path / "model.safetensors")
    encoder = load(tmp_path / "model.safetensors", encoder_only=True)
    assert np.array_equal(encoder.transform(table), model.transform(table))
    with pytest.raises(ValueError, match="Only the encoder of this model was loaded"):
        encoder.inverse_transform(np.zeros((1, 2)))


def test_a_part_that_is_not_known_here_is_named(table: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Autoencoder(code_size=2, epochs=1).fit(table).save(path)
    container = read_container(path)
    description = container.description
    description["parameters"]["bottleneck"] = {"part": "Elsewhere", "kind": "Bottleneck"}
    write_container(path, description, container.tensors)
    with pytest.raises(ModelFileError, match="No bottleneck is called 'Elsewhere'"):
        load(path)


def test_a_part_of_ones_own_can_be_stored(table: np.ndarray, tmp_path: Path) -> None:
    @parameters
    class Doubling(Bottleneck):
        """Twice the projection."""

        size: int | None = None

        def build(self, width: int) -> Doubling:
            self.project = torch.nn.Linear(width, self.size or 2)
            return self

        def forward(self, features: torch.Tensor) -> Code:
            return Code(2 * self.project(features))

    model = Autoencoder(code_size=2, bottleneck=Doubling(), epochs=1).fit(table)
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(load(tmp_path / "model.safetensors").transform(table), model.transform(table))


def test_wrong_shapes_are_refused_by_a_fitted_model(pictures: np.ndarray, table: np.ndarray) -> None:
    model = Autoencoder(code_size=2, epochs=1).fit(pictures[:50])
    with pytest.raises(ShapeError, match=r"has 35 features, but Autoencoder is expecting 64 features"):
        model.transform(np.zeros((3, 7, 5), dtype=np.uint8))
    with pytest.raises(ShapeError, match="Codes have 3 columns; this model's codes have 2"):
        model.inverse_transform(np.zeros((1, 3)))


def test_models_of_earlier_versions_load() -> None:
    files = sorted(GOLDEN.glob("*.safetensors"))
    assert files, "there is a golden file of every released version"
    for file in files:
        expected = np.load(file.with_suffix(".npz"))
        model = load(file)
        assert np.allclose(model.transform(expected["X"]), expected["codes"], atol=1e-6)
        assert np.allclose(model.reconstruct(expected["X"]), expected["again"], atol=1e-5)
        assert np.allclose(model.score_samples(expected["X"]), expected["nats"], atol=1e-4)


def test_a_task_lies_beside_its_model_in_one_file(table: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    generator = Generator(VAE(code_size=2, epochs=1), random_state=0).fit(table)
    generator.save(path)
    assert verify(path)["task"]["name"] == "Generator"
    assert np.array_equal(load(path).sample(9, random_state=0), generator.sample(9, random_state=0))
    model = load(path, encoder_only=True)
    assert np.array_equal(model.transform(table), generator.estimator_.transform(table))
    container = read_container(path)
    container.description["task"]["name"] = "Elsewhere"
    write_container(path, container.description, container.tensors)
    with pytest.raises(ModelFileError, match="No task is called 'Elsewhere'"):
        load(path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelFileError):
        load(path)


def test_loading_leaves_global_randomness_alone(digits: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    VAE(code_size=2, epochs=1, random_state=0).fit(digits[:200]).save(path)
    before = torch.random.get_rng_state()
    load(path)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("path", [None, 3, 1.5])
def test_what_is_no_path_is_refused(path: object, table: np.ndarray) -> None:
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(table)
    for ask in (model.save, load, verify):
        with pytest.raises(TypeError, match=f"path came as {path}; it must be the path of a file"):
            ask(path)


def test_a_model_of_counts_comes_back(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(50, (40, 4))
    model = Autoencoder(code_size=1, epochs=2, loss="PoissonLikelihood", scaling="none", random_state=0).fit(counts)
    model.save(tmp_path / "m")
    assert np.array_equal(load(tmp_path / "m").transform(counts), model.transform(counts))

"""scikit-learn's contract, to the letter, for every public estimator."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from diabolo import (
    KL,
    MLP,
    VAE,
    Autoencoder,
    Conv,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    Gaussian,
    LinearAutoencoder,
)
from diabolo.core.parts import Part
from diabolo.estimators import Estimator
from diabolo.training import Muon
from diabolo.training.optimizers import Torch

from .presets import PRESETS, small

NONE = {"optimizer": None, "schedule": None}


def checks() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            pytest.param(estimator, check, id=f"{cls.__name__}-{getattr(check, 'func', check).__name__}")
            for cls in PRESETS
            for estimator, check in estimator_checks_generator(small(cls, epochs=1))
            # this one only checks other array libraries, when an environment variable asks for them
            if getattr(check, "func", check).__name__ != "check_array_api_input"
        ]


@pytest.mark.parametrize(("estimator", "check"), checks())
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(estimator: Estimator, check: Any) -> None:
    check(estimator)


def test_all_presets_are_there() -> None:
    assert {cls.__name__ for cls in PRESETS} >= {"Autoencoder", "LinearAutoencoder", "DenoisingAutoencoder", "VAE"}


@pytest.mark.parametrize("cls", PRESETS)
@pytest.mark.parametrize("rows", [1, 2, 3, 31, 32, 33])
def test_any_number_of_rows_can_be_fitted(cls: type[Estimator], rows: int) -> None:
    data = np.random.default_rng(0).normal(size=(rows, 4))
    model = small(cls, code_size=2, epochs=2, batch_size=32)
    if cls not in (LinearAutoencoder, EnsembleAutoencoder):  # which refuse it
        model.set_params(architecture=MLP(8, normalization="batch"))
    assert model.fit(data).transform(data).shape == (rows, 2 * getattr(model, "members", 1))
    assert np.isfinite(model.reconstruct(data)).all()
    assert np.isfinite(model.score_samples(data)).all()
    assert np.isfinite(model.score(data))


@pytest.mark.parametrize("cls", PRESETS)
def test_fitting_twice_is_fitting_once_and_seeds_decide(cls: type[Estimator], table: np.ndarray) -> None:
    model = small(cls, code_size=2, epochs=3)
    first = model.fit(table).transform(table)
    assert np.array_equal(model.fit(table).transform(table), first)
    assert np.array_equal(clone(model).fit(table).transform(table), first)
    assert np.array_equal(copy.deepcopy(model).transform(table), first)
    if not (isinstance(model, LinearAutoencoder)):
        assert not np.array_equal(small(cls, code_size=2, epochs=3, random_state=1).fit(table).transform(table), first)


@pytest.mark.parametrize("cls", PRESETS)
def test_a_row_scores_the_same_alone_and_among_others(cls: type[Estimator], table: np.ndarray) -> None:
    model = cls(code_size=2, epochs=3, random_state=0).fit(table)
    for ask in (model.transform, model.score_samples, model.reconstruct, model.reconstruction_error):
        together = ask(table)
        for row in (0, 17, 199):
            alone = ask(table[row : row + 1])[0]
            assert np.allclose(alone, together[row], rtol=1e-5, atol=1e-5), ask.__name__
        assert np.array_equal(ask(table), together)


def test_nested_parameters() -> None:
    model = Autoencoder(bottleneck=Gaussian(3), penalty=KL(2.0) + KL(1.0), architecture=MLP(hidden=(9, 5)))
    twin = clone(model)
    assert twin.bottleneck is not model.bottleneck
    twin.set_params(penalty__kl__weight=5.0, bottleneck__size=4, architecture__hidden=(7,))
    assert model.get_params()["penalty__kl__weight"] == 2.0
    assert twin.get_params()["penalty__kl__weight"] == 5.0
    assert (model.bottleneck.size, twin.bottleneck.size) == (3, 4)
    with pytest.raises(ValueError, match="Invalid parameter 'betta'"):
        VAE().set_params(betta=1)


def test_a_name_becomes_its_part_when_a_nested_parameter_is_set() -> None:
    model = Autoencoder(architecture="conv").set_params(architecture__channels=(4,), optimizer__momentum=0.9)
    assert model.architecture.channels == (4,)
    assert isinstance(model.optimizer, Muon)
    assert Autoencoder().set_params(bottleneck__size=5, architecture__hidden=(3,)).bottleneck.size == 5
    assert Autoencoder().bottleneck is None
    with pytest.raises(ValueError, match="has no penalty"):
        Autoencoder().set_params(penalty__weight=1.0)
    model = Autoencoder().set_params(optimizer__weight_decay=0.1, optimizer="Adam", bottleneck__size=3, schedule=None)
    assert repr(model.optimizer) == "Torch(name='Adam', weight_decay=0.1, momentum=None)"
    assert Autoencoder().set_params(bottleneck="Gaussian", bottleneck__size=3).bottleneck.size == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"no_such_thing": 1},
        {"bottleneck__no_such_thing": 1},
        {"code_size__size": 1},
        {"penalty__weight": 2.0},
        {"optimizer__momentum": 0.5, "optimizer": "no such optimizer"},
    ],
)
def test_parameters_are_set_all_or_none(wrong: dict[str, Any]) -> None:
    model = Autoencoder(architecture=MLP((9,)), bottleneck=Gaussian(3), optimizer="Adam")
    before, parts = repr(model), (model.architecture, model.bottleneck)
    with pytest.raises(ValueError, match=r"Invalid parameter|has no penalty|has no optimizer"):
        model.set_params(code_size=5, architecture__hidden=(1,), **wrong)
    assert repr(model) == before
    assert (model.architecture, model.bottleneck) == parts


def test_fit_leaves_the_given_parts_alone(table: np.ndarray) -> None:
    bottleneck = Gaussian()
    model = Autoencoder(bottleneck=bottleneck, penalty=KL(), code_size=2, epochs=1).fit(table)
    assert bottleneck.size is None
    assert not list(bottleneck.parameters())
    assert all(
        not isinstance(value, Part) or value is getattr(model, name) for name, value in model.get_params(False).items()
    )


def test_grid_search_over_nested_parameters(table: np.ndarray) -> None:
    grid = {"code_size": [1, 3], "architecture__hidden": [(8,), (16, 8)], "beta": [0.1, 1.0]}
    grid |= {"optimizer": ["Adam"], "optimizer__weight_decay": [0.1], "learning_rate": [0.01]}
    search = GridSearchCV(VAE(epochs=20, random_state=0), grid, cv=2).fit(table)
    assert search.best_params_["code_size"] == 3
    assert search.best_score_ > 0.5


def test_pipelines(digits: np.ndarray) -> None:
    from sklearn.datasets import load_digits

    labels = load_digits().target
    pipeline = make_pipeline(
        StandardScaler(), Autoencoder(code_size=8, epochs=10, random_state=0), LogisticRegression(max_iter=2000)
    )
    assert pipeline.fit(digits[:1200], labels[:1200]).score(digits[1200:], labels[1200:]) > 0.7


@pytest.mark.parametrize(("library", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_output_as_frames(library: str, kind: type, table: np.ndarray) -> None:
    model = VAE(code_size=2, epochs=1).set_output(transform=library).fit(table)
    codes = model.transform(table)
    assert isinstance(codes, kind)
    assert list(codes.columns) == ["vae0", "vae1"]


def test_parameters_are_checked_with_clear_words(table: np.ndarray) -> None:
    for wrong, message in [
        ({"code_size": 0}, "code_size came as 0; it must be a whole number of at least 1"),
        ({"code_size": 2.5}, "code_size came as 2.5; it must be a whole number"),
        ({"batch_size": "many"}, "batch_size came as 'many'; it must be a whole number"),
        ({"validation": 1.0}, "validation came as 1.0; it must be a number of at least 0.0 and below 1.0"),
        ({"precision": "half"}, "precision came as 'half'; it must be one of 'auto', 'float32', 'bfloat16'"),
        ({"device": "gpu"}, "device came as 'gpu'; it must be 'auto', 'cpu'"),
        ({"architecture": "mpl"}, "No architecture is called 'mpl'; there are Conv, .*Linear, MLP"),
        ({"architecture": MLP}, r"Did you mean MLP\(\)\?"),
        ({"architecture": MLP(hidden=(0,))}, "hidden came as"),
        ({"optimizer": "adamm"}, "torch.optim has no optimizer 'adamm'"),
        ({"optimizer": "lbfgs"}, "that fits this loop"),
        ({"random_state": -1}, "random_state came as -1"),
        ({"verbose": "no"}, "Autoencoder: verbose came as 'no'; it must be True or False"),
        ({"architecture": MLP(tied="no")}, "MLP: tied came as 'no'; it must be True or False"),
        *[({"architecture": MLP(hidden=w)}, "MLP: hidden came as .* whole numbers") for w in (True, None, "", (8.0,))],
        *[({"architecture": Conv(channels=w)}, "Conv: channels came as .* whole num") for w in (True, None, "", (0,))],
        *[({"architecture": Conv(hidden=w)}, "Conv: hidden came as .* a whole number") for w in (True, 0, "")],
        *[({"device": w}, f"device came as {w}; it must be 'auto'") for w in (None, 1.5, True)],
        ({"optimizer": Torch("Muon")}, "no optimizer 'Muon' that fits this loop"),
        ({"optimizer": Torch(3)}, "Torch: name came as 3; it must be the name"),  # type: ignore[arg-type]
        ({"penalty": "Sum"}, "No penalty is called 'Sum'; there are (?!.*Sum)"),
        ({"penalty": "kl"}, "KL needs a GaussianCode, but Identity gives a Code. Bottlenecks that fit: Gaussian"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            Autoencoder(**wrong).fit(table)


def test_none_is_the_default_optimizer_and_schedule(table: np.ndarray) -> None:
    usual, none = (Autoencoder(epochs=2, random_state=0, **options) for options in ({}, NONE))
    assert np.array_equal(usual.fit(table).transform(table), none.fit(table).transform(table))
    assert none.set_params(optimizer__momentum=0.5, schedule__warmup=0.1).optimizer.momentum == 0.5


def test_denoising_takes_noise_as_a_number(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="noise came as -1"):
        DenoisingAutoencoder(noise=-1).fit(table)

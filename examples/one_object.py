"""One fitted object for a table of people: it reduces, scores, fills holes, makes new rows and explains."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from diabolo import VAE, Generator, Imputer, explain
from page import Page, run

NAMES = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[2] / "shared" / "data") / "tables"


def people(part: str, rows: int | None) -> pd.DataFrame:
    """Adult: numbers, categories and holes of people in a census."""
    path = FOLDER / f"adult-{part}.csv.gz"
    if not path.exists():
        raise FileNotFoundError(f"Adult is needed and was not found at {path}; name its folder in DIABOLO_DATA.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        frame = pd.read_csv(file, header=None, names=NAMES, na_values=["?"], skipinitialspace=True, nrows=rows)
    return frame.assign(income=frame["income"].str.rstrip("."))


def reduce(page: Page, model: VAE, test: pd.DataFrame) -> None:
    """Two of the code's numbers, and how much of the table they hold."""
    codes = model.transform(test)
    page.say(
        f"{test.shape[1]} columns become {codes.shape[1]} numbers; {model.score(test):.1%} of the variation returns."
    )
    order = np.argsort(-codes.var(0))[:2]
    rich = (test["income"] == ">50K").to_numpy()[:2000].astype(int)
    page.scatter("People in the plane of two numbers, by income", codes[:2000, order], rich, ("<=50K", ">50K"))


def score(page: Page, model: VAE, test: pd.DataFrame) -> None:
    """The strangest people, and why."""
    nats = model.score_samples(test)
    strangest = np.argsort(nats)[:5]
    told = explain(model, test.iloc[strangest])
    rows = [
        [f"{nats[row]:.1f}", *(f"{r.column}: {r.observed} (expected {r.expected})" for r in told.top(place, 2))]
        for place, row in enumerate(strangest)
    ]
    page.table("The strangest rows", ["log-likelihood", "first reason", "second reason"], rows)


def impute(page: Page, model: VAE, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Hide a fifth of the known cells and look how they are filled."""
    hidden = test.notna() & (np.random.default_rng(0).random(test.shape) < 0.2)
    filled = Imputer(FrozenEstimator(model), random_state=0).fit(train).transform(test.mask(hidden))
    rows = []
    for name in test:
        here, simple = hidden[name], train[name].mode()[0]
        if pd.api.types.is_numeric_dtype(test[name]):
            truth, spread = test[name][here], train[name].std()
            errors = [
                float(np.sqrt(np.square(truth - guess).mean()) / spread)
                for guess in (filled[name][here], train[name].mean())
            ]
            rows.append([name, "error in deviations", *errors])
        else:
            rows.append(
                [
                    name,
                    "share right",
                    *(float((test[name][here] == guess).mean()) for guess in (filled[name][here], simple)),
                ]
            )
    page.table("Hidden cells, filled", ["column", "measure", "this model", "mean or mode"], rows)


def generate(page: Page, model: VAE, train: pd.DataFrame) -> None:
    """New people, as they come and as they are wanted."""
    generator = Generator(FrozenEstimator(model), random_state=0).fit(train)
    wanted = {"sex": "Female", "age": (30, 40)}
    for title, frame in {
        "New rows": generator.sample(5, random_state=0),
        "Women between 30 and 40": generator.sample(5, given=wanted, random_state=0),
    }.items():
        page.table(title, list(frame.columns), frame.astype(object).where(frame.notna(), "").to_numpy().tolist())


def experiment(small: bool) -> Page:
    """Fit once; reduce, score, impute, generate and explain by the same object."""
    train, test = (people(part, 1500 if small else None) for part in ("train", "test"))
    page = Page("One object for a table of people")
    model = VAE(code_size=8, epochs=6 if small else 30, random_state=0).fit(train)
    test = test.iloc[:400] if small else test
    reduce(page, model, test)
    score(page, model, test)
    impute(page, model, train, test)
    generate(page, model, train)
    return page


if __name__ == "__main__":
    run(experiment)

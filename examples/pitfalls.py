"""Four ways for an autoencoder to fail, each made to happen and then cured."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_wine

from diabolo import (
    MLP,
    VAE,
    VAEGAN,
    Autoencoder,
    Conv,
    DenoisingAutoencoder,
    SquaredError,
    StructuralSimilarity,
)
from diabolo.diagnosis import variation
from page import Page, digits, run


def collapse(page: Page, train: np.ndarray, test: np.ndarray, epochs: int) -> None:
    """A KL price that is too high from the start silences the code; warm-up and free nats keep it speaking."""
    ways = {
        "beta=300": VAE(code_size=16, beta=300.0, warmup=0.0),
        "beta=1, as it should be": VAE(code_size=16),
        "beta=300, 0.5 nats free": VAE(code_size=16, beta=300.0, warmup=0.0, free_nats=0.5),
    }
    rows, shown = [], {"original": test[:10]}
    for name, model in ways.items():
        model.set_params(epochs=epochs, random_state=0).fit(train)
        found = variation(model, test)
        shown[name] = model.reconstruct(test[:10])
        rows.append([name, f"{found.active} of 16", float(found.rate), float(model.score(test))])
    page.table("Posterior collapse", ["", "active units", "nats in the code", "variation that comes back"], rows)
    page.pictures("Posterior collapse: one average for all, and its cures", shown)


def blur(page: Page, train: np.ndarray, test: np.ndarray, epochs: int) -> None:
    """Squared error averages over what it cannot know; losses that compare structure, and a rival, do not."""
    plain = {"code_size": 8, "architecture": Conv(channels=(16, 32)), "epochs": epochs, "random_state": 0}
    ways = {
        "squared error": Autoencoder(loss=SquaredError(link="sigmoid"), **plain),
        "structural similarity": Autoencoder(loss=StructuralSimilarity(), **plain),
        "adversarial": VAEGAN(**plain),
    }
    shown, rows = {"original": test[:10]}, [["original", edges(test), 0.0]]
    for name, model in ways.items():
        again = model.fit(train).reconstruct(test)
        shown[name] = again[:10]
        rows.append([name, edges(again), float(np.square(again - test).mean())])
    page.table("Blur", ["", "mean step between neighbors", "squared error per pixel"], rows)
    page.pictures("Blur, and what sharpens", shown)


def edges(pictures: np.ndarray) -> float:
    """How sharp pictures are: the mean size of the step from a pixel to the next."""
    return float(np.abs(np.diff(pictures, axis=2)).mean())


def memorizing(page: Page, train: np.ndarray, test: np.ndarray, epochs: int, hidden: int) -> None:
    """From noisy pictures a large code learns to copy, noise included; a narrow one or more noise forbid it."""
    generator = np.random.default_rng(0)
    noisy, noisy_test = ((x + 0.3 * generator.normal(size=x.shape)).astype(np.float32) for x in (train, test))
    ways = {
        "784 numbers": Autoencoder(code_size=784, architecture=MLP(hidden=hidden)),
        "784 numbers, noise to undo": DenoisingAutoencoder(code_size=784, noise=0.6, architecture=MLP(hidden=hidden)),
        "16 numbers": Autoencoder(code_size=16, architecture=MLP(hidden=hidden)),
    }
    rows, shown = [["as they came", 0.0, float(np.square(noisy_test - test).mean())]], {"noisy": noisy_test[:10]}
    for name, model in ways.items():
        again = model.set_params(epochs=epochs, random_state=0).fit(noisy).reconstruct(noisy_test)
        shown[name] = again[:10]
        rows.append([name, float(np.square(again - noisy_test).mean()), float(np.square(again - test).mean())])
    page.table("Memorizing: squared error per pixel", ["", "to the noisy picture", "to the clean one"], rows)
    page.pictures("Memorizing: what comes back of noisy pictures", shown)


def mixed(page: Page, epochs: int) -> None:
    """A category as a number has neighbors that mean nothing; a column for each value has none."""
    numbers, kind = load_wine(return_X_y=True)
    generator = np.random.default_rng(0)
    names = generator.permutation(12)  # the numbers of 12 cellars say nothing; each makes one of the three kinds
    cellar = names[4 * kind + generator.integers(0, 4, len(kind))]
    order = generator.permutation(len(kind))
    rows = []
    for name, columns in {"one number": cellar[:, None].astype(float), "a column each": np.eye(12)[cellar]}.items():
        shift, scale = columns.mean(0), columns.std(0)
        table = np.hstack([(numbers - numbers.mean(0)) / numbers.std(0), (columns - shift) / scale])[order]
        model = Autoencoder(code_size=8, epochs=10 * epochs, random_state=0).fit(table[:120])
        values = model.reconstruct(table[120:])[:, 13:] * scale + shift
        said = values.argmax(1) if columns.shape[1] > 1 else np.rint(values[:, 0])
        rows.append([name, float((said == cellar[order][120:]).mean())])
    page.table("Mixed tables: how often the right one of 12 cellars comes back", ["fed as", "share"], rows)


def experiment(small: bool) -> Page:
    """Collapse, blur, memorizing, and a category fed as a number."""
    (train, _), (test, _) = digits(small)
    page, epochs = Page("Four pitfalls, made and cured"), 4 if small else 10
    train, test = (train[:400], test[:100]) if small else (train[:20_000], test)
    collapse(page, train, test, epochs)
    blur(page, train, test, epochs)
    memorizing(page, train, test, epochs, hidden=128 if small else 784)
    mixed(page, epochs)
    return page


if __name__ == "__main__":
    run(experiment)

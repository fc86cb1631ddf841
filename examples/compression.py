"""MNIST through 32 numbers by two hidden layers, 784-256-64-32: 24.5 times fewer numbers."""

from __future__ import annotations

import numpy as np

from diabolo import MLP, Autoencoder, Identity, SquaredError
from page import Page, digits, run


def experiment(small: bool) -> Page:
    """The classic optimizer and this library's, ten epochs each."""
    (train, _), (test, _) = digits(small)
    page = Page("MNIST, 784-256-64-32 and back")
    shown, rows = {"original": test[:10]}, []
    for name, options in {"Adam": {"schedule": "Constant", "learning_rate": 1e-3}, "Muon": {}}.items():
        model = Autoencoder(
            code_size=32,
            architecture=MLP(hidden=(256, 64), activation="relu"),
            bottleneck=Identity(activation="relu"),
            loss=SquaredError(link="sigmoid"),
            optimizer=name,
            epochs=10,
            patience=10,
            random_state=0,
            **options,
        ).fit(train)
        shown[name] = model.reconstruct(test[:10])
        rows.append([name, float(np.square(model.reconstruct(test) - test).mean()), model.history_["seconds"][-1]])
    page.table("After ten epochs", ["optimizer", "test error per pixel", "seconds"], rows)
    page.say(f"Compression: {test[0].size} numbers to 32, a ratio of {test[0].size / 32}.")
    page.pictures("Ten test pictures", shown)
    return page


if __name__ == "__main__":
    run(experiment)

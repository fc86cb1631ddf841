"""MNIST through 32 numbers, 784-128-32 and back, as the tutorials have it: ReLU, sigmoid, Adam, 20 epochs."""

from __future__ import annotations

import numpy as np
from sklearn.manifold import TSNE

from diabolo import MLP, Autoencoder, Identity, SquaredError
from page import Page, digits, run


def experiment(small: bool) -> Page:
    """Losses per epoch, ten digits and what comes back of them, and a map of the codes."""
    (train, _), (test, labels) = digits(small)
    model = Autoencoder(
        code_size=32,
        architecture=MLP(hidden=128, activation="relu"),
        bottleneck=Identity(activation="relu"),
        loss=SquaredError(link="sigmoid"),
        optimizer="Adam",
        schedule="Constant",
        learning_rate=1e-3,
        batch_size=256,
        validation=1 / 6,  # 10,000 of 60,000
        epochs=20,
        patience=20,
        random_state=0,
    ).fit(train)
    page = Page("MNIST, 784-128-32 and back")
    cells = train[0].size
    lines = {name: [2 * loss / cells for loss in model.history_[name]] for name in ("loss", "validation_loss")}
    page.table(
        "Squared error per pixel",
        ["epoch", "training", "validation"],
        [[k + 1, *pair] for k, pair in enumerate(zip(*lines.values(), strict=True))],
    )
    page.curves(
        "Learning",
        {"training": lines["loss"], "validation": lines["validation_loss"]},
        "epoch",
        "squared error per pixel",
    )
    again = model.reconstruct(test)
    page.say(f"On the test pictures: {np.square(again - test).mean():.5f} per pixel.")
    page.pictures("Ten test pictures", {"original": test[:10], "reconstruction": again[:10]})
    some = slice(300 if small else 3000)
    plane = TSNE(random_state=0, init="pca", perplexity=30).fit_transform(model.transform(test[some]))
    page.scatter("Codes of test pictures by digit (t-SNE): switch digits off and on", plane, labels[some])
    return page


if __name__ == "__main__":
    run(experiment)

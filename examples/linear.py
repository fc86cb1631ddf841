"""A linear autoencoder, 784-32 without offsets, by stochastic gradient descent: how near does it come to PCA?"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from diabolo import Autoencoder, Identity, Linear, LinearAutoencoder, SquaredError, Torch
from page import Page, digits, run


def experiment(small: bool) -> Page:
    """Pictures un-normalized, the numbers of one digit, the weights as pictures, PCA and the exact solver beside."""
    (train, _), (test, _) = digits(small)
    X, T = 2 * train - 1, 2 * test - 1  # between -1 and 1
    cells = train[0].size
    model = Autoencoder(
        code_size=32,
        architecture=Linear(bias=False),
        bottleneck=Identity(bias=False),
        loss=SquaredError(),
        scaling="none",
        optimizer=Torch("SGD", momentum=0.5),
        schedule="Constant",
        # The classic rate 10^-1.5 is for the mean over pixels; this loss is half their sum.
        learning_rate=10**-1.5 * 2 / cells,
        epochs=40 if small else 20,
        patience=40,
        batch_size=64,
        random_state=0,
    ).fit(X)
    exact, pca = LinearAutoencoder(code_size=32).fit(X), PCA(32, random_state=0).fit(X.reshape(-1, cells))
    again = {
        "gradient, no offsets": model.reconstruct(T),
        "exact": exact.reconstruct(T),
        "PCA": pca.inverse_transform(pca.transform(T.reshape(-1, cells))).reshape(T.shape),
    }
    page = Page("A linear autoencoder and PCA")
    rows = [[name, float(np.square((back - T) / 2).mean())] for name, back in again.items()]
    page.table("Test error per pixel, pixels between 0 and 1", ["", "squared error"], rows)
    page.pictures("Ten test pictures", {"original": test[:10]} | {k: (v[:10] + 1) / 2 for k, v in again.items()})
    page.say("The 32 numbers of the first digit: " + " ".join(f"{value:.2f}" for value in model.transform(T[:1])[0]))
    page.pictures(
        "What each number adds: the columns of the decoder",
        {
            "gradient": model.network_.decoder[0].weight.detach().numpy().T.reshape(-1, 28, 28),
            "exact: principal components": exact.components_.reshape(-1, 28, 28),
        },
        signed=True,
        columns=16,
    )
    encode, decode = model.network_.bottleneck.project.weight, model.network_.decoder[0].weight
    products = {"gradient": (decode @ encode).detach().numpy(), "exact": exact.projection_}
    page.pictures(
        "Encoder times decoder, 784 x 784: a projection", {k: v[None] for k, v in products.items()}, signed=True
    )
    cosines = np.linalg.svd(pca.components_ @ np.linalg.qr(decode.detach().numpy())[0])[1]
    page.say(f"Cosines between the subspaces: {cosines.mean():.3f} on average, {cosines.min():.3f} at least.")
    return page


if __name__ == "__main__":
    run(experiment)

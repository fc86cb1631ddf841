"""Digits on a plane: a code of two numbers, its map, and a generator that decodes any point of it."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from diabolo import VAE, Autoencoder
from page import Page, digits, run

SIDE = 15


def experiment(small: bool) -> Page:
    """A plain and a variational autoencoder: where the digits lie, and what lies between them."""
    (train, _), (test, labels) = digits(small)
    page = Page("A plane of digits")
    epochs = 20 if small else 30
    for model in (
        Autoencoder(code_size=2, epochs=epochs, random_state=0),
        VAE(code_size=2, epochs=epochs, random_state=0),
    ):
        name = type(model).__name__
        codes = model.fit(train).transform(test)
        page.say(f"{name}: {np.square(model.reconstruct(test) - test).mean():.4f} per pixel on the test pictures.")
        page.scatter(f"{name}: the codes of test pictures", codes[:3000], labels[:3000])
        # A grid of equal shares: of the codes seen, or of the prior that the VAE keeps to.
        steps = np.linspace(0.02, 0.98, SIDE)
        across, down = (
            np.quantile(codes, steps, axis=0).T if name == "Autoencoder" else (norm.ppf(steps), norm.ppf(steps))
        )
        grid = np.stack(np.meshgrid(across, down[::-1]), axis=-1).reshape(-1, 2)
        page.pictures(f"{name}: the plane decoded", {"grid": model.inverse_transform(grid)}, columns=SIDE)
        chosen = np.stack([codes[labels == digit].mean(0) for digit in np.unique(labels)])
        page.pictures(f"{name}: the middle of each digit's codes", {"0 to 9": model.inverse_transform(chosen)})
    return page


if __name__ == "__main__":
    run(experiment)

"""The 8 x 8 digits of scikit-learn, 64-32-8, and a variational autoencoder of the same size that draws new ones."""

from __future__ import annotations

import numpy as np

from diabolo import MLP, VAE, Autoencoder
from diabolo.data.choosing import open_data
from page import DIGITS_TO_TRAIN, Page, run


def experiment(small: bool) -> Page:
    """Fifty epochs each; originals over reconstructions, and draws from the prior."""
    source = open_data("digits")
    pictures = source.read(0, source.rows) / np.float32(16)
    train, test = pictures[:DIGITS_TO_TRAIN], pictures[DIGITS_TO_TRAIN:]
    page = Page("Digits of 8 x 8, 64-32-8")
    shown = {"original": test[:16]}
    for preset in (Autoencoder, VAE):
        model = preset(code_size=8, architecture=MLP(hidden=32), epochs=50, patience=50, random_state=0).fit(train)
        shown[preset.__name__] = model.reconstruct(test[:16])
        page.say(
            f"{preset.__name__}: {model.score(test):.1%} of the variation of {len(test)} test pictures comes back."
        )
    page.pictures("Test pictures", shown)
    page.pictures("Drawn from the VAE's prior", {"32 draws": model.sample(32, random_state=0)}, columns=16)
    return page


if __name__ == "__main__":
    run(experiment)

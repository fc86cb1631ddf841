"""Denoising MNIST, 784-128-64-32 with LeakyReLU, and undoing a permutation, a rotation and a mirror."""

from __future__ import annotations

import numpy as np
import torch

from diabolo import (
    MLP,
    Clean,
    DenoisingAutoencoder,
    Mirror,
    Permutation,
    Rotation,
    ShiftedNoise,
    SquaredError,
)
from diabolo.core import Corruption
from page import Page, digits, run

CORRUPTIONS: dict[str, Corruption] = {
    "nothing": Clean(),
    "noise": ShiftedNoise(mean=0.5, scale=0.4),
    "permuted": Permutation(),
    "rotated": Rotation(angle=45),
    "mirrored": Mirror(),
    "all at once": ShiftedNoise(mean=0.5, scale=0.4) + Rotation(angle=45) + Mirror() + Permutation(),
}


def corrupted(corruption: Corruption, pictures: np.ndarray) -> np.ndarray:
    """Pictures as a trained encoder would meet them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return corruption.clone().build((28, 28, 1))(torch.from_numpy(pictures)[..., None]).values[..., 0].numpy()


def experiment(small: bool) -> Page:
    """Five epochs for each corruption; errors on test pictures."""
    (train, _), (test, _) = digits(small)
    page, rows = Page("What a denoising autoencoder undoes"), []
    for name, corruption in CORRUPTIONS.items():
        model = DenoisingAutoencoder(
            code_size=32,
            architecture=MLP(hidden=(128, 64), activation="leaky_relu"),
            corruption=corruption,
            loss=SquaredError(link="sigmoid"),
            epochs=5,
            random_state=0,
        ).fit(train)
        seen = corrupted(corruption, test)
        back = model.reconstruct(seen)
        rows.append([name, float(np.square(seen - test).mean()), float(np.square(back - test).mean())])
        page.pictures(name, {"clean": test[:10], "as the encoder sees it": seen[:10], "undone": back[:10]})
    page.table("Squared error per pixel against the clean picture", ["corruption", "as it is", "undone"], rows)
    return page


if __name__ == "__main__":
    run(experiment)

"""Make this version's golden files: models whose predictions every later version must repeat.

Run once before a release: ``python tests/estimators/golden/make.py``. Files of released versions are never made anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import diabolo
from diabolo import KL, MLP, VAE, Autoencoder, Gaussian, GaussianNoise, LinearAutoencoder

HERE = Path(__file__).parent
MODELS = {
    "autoencoder": Autoencoder(code_size=3, architecture=MLP(hidden=(12, 6), residual=True), epochs=3, random_state=0),
    "composed": Autoencoder(
        code_size=3,
        architecture="linear",
        bottleneck=Gaussian(),
        penalty=KL(0.5),
        corruption=GaussianNoise(0.1),
        epochs=3,
    ),
    "linear": LinearAutoencoder(code_size=3),
    "vae": VAE(code_size=3, architecture=MLP(hidden=(12,), tied=True), epochs=3, random_state=0),
}


def main() -> None:
    """Write a model and its predictions for each."""
    X = load_digits().data[:200]
    for name, model in MODELS.items():
        model.fit(X).save(HERE / f"{diabolo.__version__}-{name}.safetensors")
        answers = {
            "codes": model.transform(X[:20]),
            "again": model.reconstruct(X[:20]),
            "nats": model.score_samples(X[:20]),
        }
        np.savez_compressed(HERE / f"{diabolo.__version__}-{name}.npz", X=X[:20], **answers)


if __name__ == "__main__":
    main()

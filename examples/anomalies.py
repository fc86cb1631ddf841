"""Which pictures are no zeros? An autoencoder of zeros, PCA of the same size, and an isolation forest."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from diabolo import Autoencoder
from page import Page, digits, run

NORMAL = 0


def experiment(small: bool) -> Page:
    """Trained on zeros alone; the threshold is the 95 % quantile of the scores of zeros held out."""
    (train, digit), (test, labels) = digits(small)
    zeros = train[digit == NORMAL].reshape(-1, 784)
    held_out, zeros = zeros[: len(zeros) // 5], zeros[len(zeros) // 5 :]
    rows = test.reshape(-1, 784)
    model = Autoencoder(code_size=8, scaling="unit", epochs=40, random_state=0).fit(zeros)
    pca = PCA(8, random_state=0).fit(zeros)
    forest = IsolationForest(random_state=0).fit(zeros)
    scores = {
        "autoencoder": model.reconstruction_error,
        "PCA": lambda X: np.square(X - pca.inverse_transform(pca.transform(X))).mean(1),
        "isolation forest": lambda X: -forest.score_samples(X),
    }
    page, table = Page("Digits that are no zeros"), []
    strange = labels != NORMAL
    for name, score in scores.items():
        threshold = np.quantile(score(held_out), 0.95)
        flagged = score(rows) > threshold
        figures = [f(strange, flagged) for f in (precision_score, recall_score)]
        table.append(
            [name, *map(float, figures), float(roc_auc_score(strange, score(rows))), float(flagged[~strange].mean())]
        )
    page.table(
        f"{strange.sum():,} of {len(rows):,} test pictures are no zeros",
        ["", "precision", "recall", "AUROC", "zeros flagged"],
        table,
    )
    order = np.argsort(model.reconstruction_error(rows))
    zeros_last = [row for row in order if labels[row] == NORMAL][-10:]
    missed = [row for row in order if labels[row] != NORMAL][:10]
    again = model.reconstruct(rows).reshape(-1, 28, 28)
    page.pictures("The strangest zeros", {"original": test[zeros_last], "as a zero": again[zeros_last]})
    page.pictures("The others that look most like zeros", {"original": test[missed], "as a zero": again[missed]})
    return page


if __name__ == "__main__":
    run(experiment)

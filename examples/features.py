"""What codes are good for downstream: against raw values and PCA, in classification and regression."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from diabolo import Autoencoder, ContractiveAutoencoder, DenoisingAutoencoder
from page import Page, digits, run


def features(size: int, epochs: int | None) -> dict[str, BaseEstimator]:
    """Ways to describe a row; all but the first in ``size`` numbers."""
    ours = {"code_size": size, "epochs": epochs, "random_state": 0}
    return {
        "raw": FunctionTransformer(),
        "PCA": PCA(size, random_state=0),
        "Autoencoder": Autoencoder(**ours),
        "DenoisingAutoencoder": DenoisingAutoencoder(**ours),
        "ContractiveAutoencoder": ContractiveAutoencoder(**ours),
    }


def experiment(small: bool) -> Page:
    """Digits by logistic regression and nearest neighbors from few labels; diabetes by ridge regression."""
    (train, digit), (test, labels) = digits(small)
    X, T = train.reshape(-1, 784), test.reshape(-1, 784)
    page, rows = Page("Codes as features"), []
    for name, method in features(16, 3 if small else None).items():
        method.fit(X)  # without labels
        codes, judged = method.transform(X[:1000]), method.transform(T)
        line = [name, codes.shape[1]]
        for classifier in (LogisticRegression(max_iter=2000), KNeighborsClassifier(5)):
            line.append(make_pipeline(StandardScaler(), classifier).fit(codes, digit[:1000]).score(judged, labels))
        rows.append(line)
    page.table(
        "Accuracy on test pictures with 1,000 labels",
        ["features", "numbers", "logistic regression", "5 neighbors"],
        rows,
    )
    data, target = load_diabetes(return_X_y=True)
    rows = []
    for name, method in features(5, 10 if small else None).items():
        model = make_pipeline(StandardScaler(), method, StandardScaler(), Ridge())
        scores = cross_val_score(model, data, target, cv=3 if small else 5)
        rows.append([name, float(np.mean(scores)), float(np.std(scores))])
    page.table("Diabetes, 442 rows: R2 of ridge regression", ["features", "mean over folds", "deviation"], rows)
    return page


if __name__ == "__main__":
    run(experiment)

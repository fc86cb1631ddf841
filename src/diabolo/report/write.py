"""Writing a report: the page and the numbers, each whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..core.files import atomic
from ..data.choosing import open_data
from ..estimators.base import Estimator
from ..estimators.storage import Task
from ..tasks.series import SeriesAnomalyDetector
from ..training.seeding import seed_from
from . import series, series_page
from .gather import as_plain, gather, plain
from .page import render


def write_report(
    model: Estimator | Task,
    data: Any,
    path: str | os.PathLike[str],
    *,
    labels: Any = None,
    json_path: str | os.PathLike[str] | None = None,
    random_state: Any = 0,
) -> dict[str, Any]:
    """Write what a fitted autoencoder made of some data: one HTML page, and the numbers as JSON.

    The page's first line says whether the autoencoder beat PCA of the same size. The page needs nothing else and
    asks for nothing from anywhere. The same model, data and ``random_state`` give the same bytes.

    Parameters
    ----------
    model : fitted Estimator, or a task around one
        Of an :class:`~diabolo.Imputer` the page also shows whether its intervals hold what they promise, of an
        :class:`~diabolo.AnomalyDetector` the strangest rows and why, and what baselines say of them. Of a
        :class:`~diabolo.SeriesAnomalyDetector` it draws the series, its scores and the strangest stretches.
    data : array, frame, list, path, Source or name of an example set
        Of the kind that was fitted. Where it is the training data itself, the rows that were held out judge.
    path : path
        The page, usually ``report.html``; takes its name only when it is complete.
    labels : array of shape (rows,), or None
        What to color the codes by: text, whole numbers, or a scale. ``None``: the labels that the data brings along.
    json_path : path, or None
        The numbers; ``None``: beside the page, ending in ``.json``.
    random_state : int, numpy generator, or None, default 0
        Seed of the rows drawn and of t-SNE.

    Returns
    -------
    dict
        What the JSON file holds.

    Raises
    ------
    DataError, ShapeError
        If the data is not of the kind that was fitted, or there is not one label for each row.
    OSError
        If a file cannot be written; what was there before is whole.

    >>> import os, tempfile
    >>> from diabolo import LinearAutoencoder
    >>> X = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 2.0, 0.0], [3.0, 1.0, 1.0]]
    >>> model = LinearAutoencoder(code_size=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numbers = write_report(model, X, os.path.join(folder, "report.html"))
    ...     sorted(os.listdir(folder))
    ['report.html', 'report.json']
    >>> numbers["headline"]["outcome"]
    'tie'
    """
    if isinstance(model, SeriesAnomalyDetector):
        found = series.gather(model, open_data(data), labels)
        return publish(series_page.render(found), plain(series.as_plain(found)), path, json_path)
    task = model if isinstance(model, Task) else None
    model = model.estimator_ if isinstance(model, Task) else model
    check_is_fitted(model, "network_")
    if model.network_.decoder is None:
        raise ValueError("Only the encoder of this model was loaded; load it whole to report on its round trips.")
    report = gather(model, open_data(data), labels, seed_from(random_state), task)
    return publish(render(report), plain(as_plain(report)), path, json_path)


def publish(
    page: str,
    numbers: dict[str, Any],
    path: str | os.PathLike[str],
    json_path: str | os.PathLike[str] | None,
) -> dict[str, Any]:
    """Write the page and the numbers; what was there before stays whole until each is complete."""
    beside = Path(path).with_suffix(".json") if json_path is None else Path(json_path)
    if os.path.realpath(beside) == os.path.realpath(path):
        raise ValueError(f"{os.fspath(path)} cannot be the page and the numbers; give a path that ends in .html.")
    with atomic(path) as file:
        file.write(page.encode())
    with atomic(beside) as file:
        file.write((json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return numbers

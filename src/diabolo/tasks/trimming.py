"""Which rows lie far from most, before anything is trained."""

from __future__ import annotations

import numpy as np
import torch

from ..data.rows import Rows
from ..data.source import Source
from ..estimators.base import Estimator

SAMPLES, SAMPLE, STRETCH = 50, 16, 2048  # of rows to measure distances to; rows that are measured at once


def remoteness(model: Estimator, source: Source, seed: int) -> np.ndarray:
    r"""How far rows lie from most others: :math:`\frac1T\sum_t \min_{j \in S_t,\ j \ne i} \lVert x_i - x_j\rVert`.

    :math:`S_t` are :math:`T = 50` samples of 16 rows. A group of anomalies that are near to each other is far from
    most samples, where it would be near to its own neighbors; the cost grows with the rows and no faster.

    Parameters
    ----------
    model : Estimator
        Says how data is read and scaled; it need not be fitted.
    source : Source
    seed : int

    Returns
    -------
    ndarray of shape (rows,)

    References
    ----------
    Rapid Distance-Based Outlier Detection via Sampling, Sugiyama and Borgwardt, 2013, NeurIPS 26.

    >>> from diabolo import Autoencoder
    >>> from diabolo.data.memory import in_memory
    >>> rows = np.r_[np.random.default_rng(0).normal(size=(90, 2)), np.full((10, 2), 20.0)]
    >>> int(remoteness(Autoencoder(scaling="none"), in_memory(rows), 0).argmax()) >= 90
    True
    """
    modality = model._fit_modality(source)
    aligned = modality.aligned(source)
    random = np.random.default_rng(seed)
    samples = [np.sort(random.permutation(source.rows)[:SAMPLE]) for _ in range(SAMPLES)]
    wanted = np.unique(np.concatenate(samples))
    kept = modality.read_all(Rows(aligned, wanted)).values.flatten(1)
    far = np.zeros(source.rows)
    for start in range(0, source.rows, STRETCH):
        stop = min(start + STRETCH, source.rows)
        rows = modality.read(aligned, start, stop).values.flatten(1)
        distances = torch.cdist(rows, kept, compute_mode="donot_use_mm_for_euclid_dist")
        distances.masked_fill_(torch.from_numpy(np.arange(start, stop)[:, None] == wanted), torch.inf)
        for sample in samples:
            nearest = distances[:, torch.from_numpy(np.searchsorted(wanted, sample))].amin(1)
            far[start:stop] += nearest.nan_to_num(posinf=0.0).numpy() / SAMPLES
    return far

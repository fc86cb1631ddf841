"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

torch.set_num_threads(1)  # tests run side by side, one process on each core


def shared_data() -> Path | None:
    """The folder of real data sets: ``$DIABOLO_DATA``, or ``../shared/data`` beside the checkout."""
    named = os.environ.get("DIABOLO_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if (folder / "mnist").is_dir() else None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets; tests that need them are skipped where there are none."""
    folder = shared_data()
    if folder is None:
        pytest.skip("the real data sets are not here: set DIABOLO_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """1,797 digits of 8 x 8 pixels between 0 and 16, as rows."""
    return load_digits().data


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """The same as pictures of whole numbers."""
    return load_digits().images.astype(np.uint8)


@pytest.fixture
def table() -> np.ndarray:
    """200 rows of 6 columns that three hidden numbers explain."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(200, 3)) @ generator.normal(size=(3, 6)) + 0.05 * generator.normal(size=(200, 6))

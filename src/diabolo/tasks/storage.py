"""Reading models and the tasks around them: each task of the library is imported here, and so is known."""

from __future__ import annotations

from ..estimators.storage import Task, load
from .anomaly import AnomalyDetector
from .generator import Generator
from .imputer import Imputer
from .series import SeriesAnomalyDetector

__all__ = ["AnomalyDetector", "Generator", "Imputer", "SeriesAnomalyDetector", "Task", "load"]

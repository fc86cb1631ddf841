"""Training: the only loop, and what it is made of."""

from .batches import Batches, Resident, Streaming
from .engine import train
from .entropy import EntropyStop
from .history import History
from .optimizers import Muon, Optimizer, Torch
from .schedules import Constant, CosineDecay, LinearDecay, Schedule
from .watchers import Checkpointer, HistoryFile, Progress, Watcher
from .worker import LOCAL, Worker

__all__ = [
    "LOCAL",
    "Batches",
    "Checkpointer",
    "Constant",
    "CosineDecay",
    "EntropyStop",
    "History",
    "HistoryFile",
    "LinearDecay",
    "Muon",
    "Optimizer",
    "Progress",
    "Resident",
    "Schedule",
    "Streaming",
    "Torch",
    "Watcher",
    "Worker",
    "train",
]

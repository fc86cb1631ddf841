"""Diagnosis: is a fitted autoencoder healthy?"""

from ..lazy import attach

HOMES = {
    **dict.fromkeys(["CodebookUsage", "codebook_usage"], ".codebook"),
    **dict.fromkeys(["Sparsity", "sparsity"], ".sparsity"),
    **dict.fromkeys(["Variation", "variation"], ".variation"),
}

__getattr__, __dir__ = attach(__name__, HOMES)

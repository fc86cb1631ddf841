"""Diagnosis: is a fitted autoencoder healthy, what does its code stand for, and why is a row strange?"""

from ..data.explained import Explanation, Reason
from .codebook import CodebookUsage, codebook_usage
from .explanation import explain
from .loadings import Loadings, Stability, loadings, loadings_stability
from .sparsity import Sparsity, sparsity
from .synthesis import Likeness, Synthesis, synthesis_report
from .variation import Variation, variation

__all__ = [
    "CodebookUsage",
    "Explanation",
    "Likeness",
    "Loadings",
    "Reason",
    "Sparsity",
    "Stability",
    "Synthesis",
    "Variation",
    "codebook_usage",
    "explain",
    "loadings",
    "loadings_stability",
    "sparsity",
    "synthesis_report",
    "variation",
]

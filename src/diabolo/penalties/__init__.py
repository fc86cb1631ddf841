"""Penalties: what a code costs."""

from .divergence import KL

__all__ = ["KL"]

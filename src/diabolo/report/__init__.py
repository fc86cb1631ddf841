"""One self-contained HTML page about a fitted autoencoder, and its numbers as JSON."""

from .write import write_report

__all__ = ["write_report"]

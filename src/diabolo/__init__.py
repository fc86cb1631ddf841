"""diabolo."""

"""Data: from what the user has to tensors, and back to what the user had."""

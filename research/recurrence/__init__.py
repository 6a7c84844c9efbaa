"""Mixers that carry a state along the sequence, one cell a file."""

"""Mixers that slide a filter along the sequence, one variant a file."""

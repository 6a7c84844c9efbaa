"""Mixers that weigh the sequence by scores, one variant a file."""

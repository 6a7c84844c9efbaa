"""Sequence mixers, tasks, training and statistics of the laboratory."""

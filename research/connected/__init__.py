"""Fully connected baselines, one variant a file."""

"""Synthetic tasks, one a file, generated on the device."""

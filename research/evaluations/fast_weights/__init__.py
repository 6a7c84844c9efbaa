"""Matrices written by keys and values and read by queries, in equal forms."""

"""Honest timings: contenders in processes of their own, run in turn."""

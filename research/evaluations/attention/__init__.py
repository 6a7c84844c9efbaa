"""Attention without parameters of its own, in forms that agree."""

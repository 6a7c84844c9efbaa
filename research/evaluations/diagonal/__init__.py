"""Elementwise linear recurrences without parameters, in forms that agree."""

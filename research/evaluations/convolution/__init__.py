"""Convolutions along the sequence without parameters, in forms that agree."""

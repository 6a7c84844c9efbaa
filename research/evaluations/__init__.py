"""Functions without parameters whose several forms agree."""

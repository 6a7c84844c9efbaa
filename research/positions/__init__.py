"""Position encodings, one a file."""

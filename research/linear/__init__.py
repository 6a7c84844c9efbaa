"""Linear attention and fast weights, one variant a file."""

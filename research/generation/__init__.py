"""Writing token by token: greedy, by sampling, by beams."""

"""Numbers from seeds: intervals, comparisons and verdicts."""

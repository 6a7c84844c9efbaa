"""From the files of a run to the page that a person reads."""

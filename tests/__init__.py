"""Laws of every variant, and one test file for each file of the rooms."""

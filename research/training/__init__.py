"""Members trained side by side in one compiled program."""

"""Sound: phrases, the tones that they are spoken in, and what a model hears."""

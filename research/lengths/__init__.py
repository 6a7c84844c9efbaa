"""What a mixer alone costs by length, and whether forms of it agree."""

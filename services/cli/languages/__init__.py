"""What a model's tokens cost in each language of Europe, and whether it answers in the one it is told."""

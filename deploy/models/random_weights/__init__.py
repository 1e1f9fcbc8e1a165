"""A model of any size with random weights, to try engines and cards with: what it says is nonsense."""

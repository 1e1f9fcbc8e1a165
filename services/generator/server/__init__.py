"""The RPCs of the generator."""

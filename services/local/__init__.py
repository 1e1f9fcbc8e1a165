"""What a single machine lacks; production never starts it."""

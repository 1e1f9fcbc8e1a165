"""What the pipeline decides: frames, batches, dead letters, retention."""

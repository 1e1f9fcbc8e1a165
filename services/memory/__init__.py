"""What an engine keeps in an accelerator's memory: weights, KV cache and the rest, counted before it runs."""

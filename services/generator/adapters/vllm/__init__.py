"""vLLM as the engine: the only package that imports it."""

"""What vLLM is told of each model, and what is computed for the same."""

BLOCK_TOKENS = 32
CONTEXT_TOKENS = 8_192
BATCHED_TOKENS = 2_048
KV_BYTES = 16 * 2**30

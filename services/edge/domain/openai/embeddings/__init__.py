"""`/v1/embeddings`: inputs as OpenAI has them, and their vectors."""

"""`/v1/responses`: items as OpenAI has them, and their answers."""

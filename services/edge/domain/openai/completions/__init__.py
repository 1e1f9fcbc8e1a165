"""`/v1/completions`: prompts as OpenAI has them, and their answers."""

"""`/v1/chat/completions`: a chat as OpenAI has it, and its answers."""

"""Requests that count a prompt, as vLLM and OpenAI have them."""

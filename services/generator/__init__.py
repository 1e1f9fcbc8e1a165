"""Tokens from the engine, and nothing but tokens."""

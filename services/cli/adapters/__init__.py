"""How the command reaches the store."""

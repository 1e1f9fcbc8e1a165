"""Grammars that answers are held to: tried before any engine sees them."""

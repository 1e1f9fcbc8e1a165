"""How many of each process serve so many streams: what was measured, what is assumed, the arithmetic."""

"""What the edge decides: parsing, bounds, server-sent events, error bodies."""

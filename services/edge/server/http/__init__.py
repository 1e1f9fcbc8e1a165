"""Connections, reading and writing: what every endpoint of the edge has in front of it."""

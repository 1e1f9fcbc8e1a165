"""Sends the load of a bench and watches it."""

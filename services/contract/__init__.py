"""Formats that two processes share, each written once."""

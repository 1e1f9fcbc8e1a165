"""Metrics: names, the Prometheus page and where it listens."""

"""Processes that move events from the log to the store."""

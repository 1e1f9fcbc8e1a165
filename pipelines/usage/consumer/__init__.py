"""Takes frames from the log to the store: the loop, what becomes of one record, and how far behind it is."""

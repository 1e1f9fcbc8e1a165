"""The durable spool: one SQLite file, its writer thread, and what is done where the disk fails it."""

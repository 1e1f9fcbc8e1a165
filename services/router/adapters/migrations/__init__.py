"""Revisions of the key store's tables, each one file that is never edited once it was released."""

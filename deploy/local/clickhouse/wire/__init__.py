"""Bytes on the wire: content codings and multipart forms."""

"""The comptoir command."""

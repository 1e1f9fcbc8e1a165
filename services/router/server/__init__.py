"""The RPCs of the router: one file per service."""

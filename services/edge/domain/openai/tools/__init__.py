"""Tools as requests have them, and their calls."""

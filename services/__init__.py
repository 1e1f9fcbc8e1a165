"""The processes of Comptoir, one folder each."""

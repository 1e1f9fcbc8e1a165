"""Between the router's schemas and its domain."""

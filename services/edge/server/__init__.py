"""HTTP of the edge: one listener, one boundary around every request, one file per endpoint."""

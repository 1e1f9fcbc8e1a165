"""One module per command: arguments in, one sentence or a table out."""

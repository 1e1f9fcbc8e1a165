"""What ends a run of the benchmark."""


class BenchError(Exception):
    """Ends the run; its text is one sentence for people."""

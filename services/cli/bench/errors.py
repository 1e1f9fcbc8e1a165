"""What a bench refuses before it sends anything."""


class BenchError(ValueError):
    """An option or a file that cannot be used, in one sentence."""

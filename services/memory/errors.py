"""What cannot be counted: a configuration of a kind that is not known, or one that contradicts itself."""


class UnknownModelError(Exception):
    """Says in one sentence, without a full stop, what of a configuration is not known."""

"""What a source of numbers can fail with."""


class SourceAwayError(Exception):
    """A source cannot answer now; the text is one sentence for operators, without a caller's words."""

"""What goes wrong for the person at the terminal: always one sentence that says what to do."""


class StackError(Exception):
    """The stack cannot start or go on; the text is one sentence for the person who started it."""

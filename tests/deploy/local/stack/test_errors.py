"""An error of the stack is the sentence that the person reads."""

from deploy.local.stack.errors import StackError


def test_the_text_is_the_sentence() -> None:
    assert str(StackError("Port 1 is taken; choose another.")) == "Port 1 is taken; choose another."

"""The types of the interface between the server and an application: ASGI 3, HTTP only."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

# ASGI's own shape: keys and the types of their values depend on each message's `type`.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# In the scope's `state`: closes the request's connection at once, with what the client has not read.
ABORT: Final = "abort"
# Also there: sends a part of the body at once, and returns whether it did. It does not while the client is
# behind or gone, nor where no body is open. It takes what makes the part, and calls it only where it sends:
# making a part may count it.
WRITE_PART: Final = "write_part"
# Also there: takes what is called once if the client leaves before its answer is whole, or None again. To
# wait for that in `receive` would take a task for as long as the request runs.
WATCH: Final = "watch"


class BrokenAnswerError(Exception):
    """An answer failed after it began.

    An application raises it, and its connection ends without the end of the body, so that the client
    sees that the answer is not whole.
    """

"""Programs that end with the test process that started them, however that ends."""

from collections.abc import Sequence


def tied(command: Sequence[str]) -> list[str]:
    """The command, whose process the kernel kills when its parent is gone.

    A program asks for that, and no Python between fork and exec: it crashed there when gRPC and librdkafka
    had threads.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]

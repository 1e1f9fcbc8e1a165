"""How this process reads what the engine's process sends: once per step, with one wake-up."""

import asyncio
from typing import Any

import zmq


def read_directly(core: Any) -> None:
    """Lets vLLM's client of the engine's process read its socket through `Frames`.

    Call it in the turn of the loop in which the client came to be: its reader has not begun then.
    """
    resources = core.resources
    socket = resources.output_socket
    resources.output_queue_task.cancel()
    resources.output_queue_task = None
    resources.output_socket = Frames(socket)
    core._ensure_output_queue_task()  # noqa: SLF001 - vLLM has no other way to begin it
    # It is vLLM's to close.
    resources.output_socket = socket


class Frames:
    """A socket of ZeroMQ's with one reader.

    ZeroMQ's own for asyncio serves any number, and takes a third of what a step of few streams costs this
    process. When that socket is closed, it ends this reading too: both watch one descriptor.
    """

    def __init__(self, socket: Any) -> None:
        self._socket: Any = zmq.Socket.shadow(socket)
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] | None = None
        self._loop.add_reader(socket.get(zmq.FD), self._has_news)

    async def recv_multipart(self, *, copy: bool) -> list[Any]:
        """Returns the next message, as the socket that this stands for does."""
        # The descriptor tells of a change and not of a message, so one looks before each wait.
        while not self._has_message():
            self._news = self._loop.create_future()
            try:
                await self._news
            finally:
                self._news = None
        frames: list[Any] = self._socket.recv_multipart(zmq.DONTWAIT, copy=copy)
        return frames

    def _has_news(self) -> None:
        if self._news is None:
            # Nobody reads now; a change that is not looked at would be told again at once.
            _ = self._socket.closed or self._has_message()
        elif not self._news.done():
            self._news.set_result(None)

    def _has_message(self) -> bool:
        return bool(self._socket.get(zmq.EVENTS) & zmq.POLLIN)

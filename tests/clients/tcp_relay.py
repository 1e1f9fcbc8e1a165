"""A way to a part of a stack that a test can cut, while the part serves everybody else."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Relay:
    """Passes connections on from a port of its own to another until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._lock = threading.Lock()
        self._is_cut = False
        self.port: int = self._listening.getsockname()[1]
        self._threads[0].start()

    def cut(self) -> None:
        """Ends all connections, and takes no other."""
        with self._lock:
            self._is_cut = True
            # Who waits in accept is woken by this alone.
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cuts, and leaves nothing open."""
        self.cut()
        for thread in self._threads:
            thread.join()
        for connection in (self._listening, *self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(accepted)
                if self._is_cut:
                    return
                self._join(accepted)

    def _join(self, accepted: socket.socket) -> None:
        other = socket.create_connection(("127.0.0.1", self._to))
        self._open.append(other)
        for source, target in ((accepted, other), (other, accepted)):
            thread = threading.Thread(target=_pass_on, args=(source, target))
            self._threads.append(thread)
            thread.start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    """A relay for as long as the block lasts."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()

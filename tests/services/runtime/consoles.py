"""What a console tells who makes a link: the moment of its run, over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.contract.sign_in_link import RUN_BYTES, Moment

MOMENT = Moment(b"r" * RUN_BYTES, 40)


class _Handler(BaseHTTPRequestHandler):
    timeout = 60.0

    def do_GET(self) -> None:
        """Tells the moment, where it is asked for."""
        is_asked = self.path == "/sign-in/moment"
        self.send_response(200 if is_asked else 404)
        self.end_headers()
        self.wfile.write(MOMENT.text().encode() if is_asked else b"")

    def log_message(self, *_words: object) -> None:
        """Says nothing."""


@contextmanager
def run_of_a_console() -> Iterator[str]:
    """The URL of a run that is 40 seconds old."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()

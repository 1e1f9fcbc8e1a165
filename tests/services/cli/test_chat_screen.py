"""A chat on a terminal of its own: turns, Ctrl-C, commands, its end, and nothing of it on the disk."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.cli.commands.test_chat import stream
from tests.services.cli.terminal_process import SECONDS, TerminalProcess, on_a_terminal


class Endpoint:
    """Answers `Salut n`, n being how many turns were sent; after `wait` it begins, and never ends."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.was_left = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            self._answer_models(handler)
            return
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.asked.append(request)
        turns = request["messages"]
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        if turns[-1]["content"] != "wait":
            handler.wfile.write(stream("Salut ", str(len(turns))))
            return
        handler.wfile.write(stream("begun", usage=None).removesuffix(b"data: [DONE]\n\n"))
        handler.wfile.flush()
        # It ends with the connection, which nothing is sent on any more.
        handler.connection.settimeout(SECONDS)
        if handler.rfile.read(1) == b"":
            self.was_left.set()

    @staticmethod
    def _answer_models(handler: BaseHTTPRequestHandler) -> None:
        models: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in ("m", "other")
        ]
        found = [model for model in models if handler.path.endswith(f"/models/{model['id']}")]
        is_list = handler.path.endswith("/models")
        handler.send_response(200 if is_list or found else 404)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        one: Any = found[0] if found else {"error": {"message": "There is none."}}
        content = {"object": "list", "data": models} if is_list else one
        handler.wfile.write(json.dumps(content).encode())


@contextmanager
def _chat(home: Path) -> Iterator[tuple[TerminalProcess, Endpoint]]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            endpoint.answer(self)

        do_GET = do_POST  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    variables = {"COMPTOIR_API_KEY": "cptr_x", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    try:
        with on_a_terminal("chat", "--base-url", url, "--model", "m", variables=variables) as terminal:
            terminal.until("Ctrl-D ends.")
            terminal.until("> ")
            yield terminal, endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_chat_remembers_its_turns_and_says_what_each_answer_cost(tmp_path: Path) -> None:
    with _chat(tmp_path) as (terminal, endpoint):
        terminal.type("Bonjour\n")
        terminal.until("Salut 1")
        terminal.until("TTFT ")
        terminal.until("9 input tokens, 3 output tokens")
        terminal.until("> ")
        terminal.type("Encore\n")
        terminal.until("Salut 3")
        terminal.until("> ")
        terminal.type("/clear\n")
        terminal.until("Forgot 2 questions")
        terminal.until("> ")
        terminal.type("Autre\n")
        terminal.until("Salut 1")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.ended() == 0
    contents = [turn["content"] for turn in endpoint.asked[1]["messages"]]
    assert contents == ["Bonjour", "Salut 1", "Encore"]
    # Nothing that was said is in a file of the person's home, such as a history of lines.
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"Bonjour" in path.read_bytes()] == []


def test_ctrl_c_stops_the_answer_and_not_the_chat(tmp_path: Path) -> None:
    with _chat(tmp_path) as (terminal, endpoint):
        terminal.type("wait\n")
        terminal.until("begun")
        terminal.type("\x03")
        terminal.until("Stopped; what came of the answer is remembered.")
        assert endpoint.was_left.wait(SECONDS)
        terminal.until("> ")
        terminal.type("half a line\x03")
        terminal.until("> ")
        terminal.type("Encore\n")
        terminal.until("Salut 3")
        terminal.until("> ")
        terminal.type("/quit\n")
        assert terminal.ended() == 0
    assert [turn["content"] for turn in endpoint.asked[1]["messages"]] == ["wait", "begun", "Encore"]


def test_a_line_that_is_not_utf_8_is_not_asked_and_ends_nothing(tmp_path: Path) -> None:
    with _chat(tmp_path) as (terminal, endpoint):
        terminal.type("caf\udce9\udcff\n")
        terminal.until("is not UTF-8")
        terminal.until("> ")
        terminal.type("Encore\n")
        terminal.until("Salut 1")
        terminal.until("> ")
        terminal.type("/quit\n")
        assert terminal.ended() == 0
    assert len(endpoint.asked) == 1


def test_commands_teach_and_change_the_model(tmp_path: Path) -> None:
    with _chat(tmp_path) as (terminal, endpoint):
        for line, says in (
            ("/help", "forget every turn"),
            ("/dance", "There is no such command"),
            ("/model", "m answers; there is m, other."),
            ("/model nobody", "There is no such model here; m still answers."),
            ("/model other", "other answers from now on"),
            ("Bonjour", "Salut 1"),
        ):
            terminal.type(f"{line}\n")
            terminal.until(says)
            terminal.until("> ")
    assert [request["model"] for request in endpoint.asked] == ["other"]

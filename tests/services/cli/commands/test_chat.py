"""chat: the answer as it comes, what it cost, and problems in one sentence."""

import io
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import read_state
from tests.services.cli.http_server import serving_http
from tests.services.cli.running import Terminal

PATH = "/v1/chat/completions"


def stream(*pieces: str, usage: tuple[int, int] | None = (9, 3)) -> bytes:
    def chunk(**fields: Any) -> bytes:
        content = {
            "id": "x",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [],
            **fields,
        }
        return f"data: {json.dumps(content)}\n\n".encode()

    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    body = b"".join(chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas)
    if usage is not None:
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        body += chunk(usage=counts)
    return body + b"data: [DONE]\n\n"


def at(paths: DataPaths, url: str) -> tuple[str, ...]:
    """Makes the folder's stack answer at the URL, and returns the options that name both."""
    state = read_state(paths)
    assert state is not None
    paths.state.write_text(json.dumps({**state, "base_url": f"{url}/v1"}))
    return "--base-url", f"{url}/v1", "--data-dir", str(paths.root)


def test_an_answer_is_shown_with_its_times_and_counts(terminal: Terminal, paths: DataPaths) -> None:
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({PATH: (200, stream("Bon", "jour", "!"))}, asked) as url:
        said = terminal.comptoir("chat", "Salut", *at(paths, url))
    assert (said.status, said.out) == (0, "Bonjour!\n")
    assert re.fullmatch(r"TTFT \d+ ms, \d+ output tokens/s, 9 input tokens, 3 output tokens\n", said.err)
    ((path, body, authorization),) = asked
    request = json.loads(body)
    assert (path, authorization) == (PATH, "Bearer cptr_kept")
    assert request["model"] == "tiny-eu"
    assert request["messages"] == [{"role": "user", "content": "Salut"}]
    assert request["stream_options"] == {"include_usage": True}


def test_an_empty_answer_has_a_time_too(terminal: Terminal, paths: DataPaths) -> None:
    with serving_http({PATH: (200, stream(usage=(9, 1)))}) as url:
        said = terminal.comptoir("chat", "Salut", *at(paths, url))
    assert re.match(r"TTFT \d+ ms, 0 output tokens/s", said.err)


def test_the_key_of_the_environment_wins_and_standard_input_is_read(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bytes, str]] = []
    monkeypatch.setenv("COMPTOIR_API_KEY", "cptr_given")
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe"))
    with serving_http({PATH: (200, stream("x", usage=None))}, asked) as url:
        said = terminal.comptoir("chat", "-", *at(paths, url))
    assert said.status == 0
    assert asked[0][2] == "Bearer cptr_given"
    assert json.loads(asked[0][1])["messages"][0]["content"] == "from a pipe"


def test_a_refusal_is_one_sentence(terminal: Terminal, paths: DataPaths) -> None:
    answer = json.dumps({"error": {"message": "The API key is not valid.", "type": "invalid_request_error"}})
    with serving_http({PATH: (401, answer.encode())}) as url:
        sentence = terminal.refusal("chat", "x", *at(paths, url))
    assert "refused" in sentence
    assert "not valid" in sentence


def test_a_refusal_cannot_command_the_terminal(terminal: Terminal, paths: DataPaths) -> None:
    body = json.dumps({"error": {"message": "no\x1b]0;title\x07\ud800"}}).encode()
    with serving_http({PATH: (400, body)}) as url:
        said = terminal.comptoir("chat", "Salut", *at(paths, url))
    assert (said.status, "\x1b" in said.err, "\x07" in said.err) == (1, False, False)
    assert "refused: " in said.err


def test_half_a_character_of_an_answer_does_not_end_it(terminal: Terminal, paths: DataPaths) -> None:
    with serving_http({PATH: (200, stream("a\ud800", "b"))}) as url:
        said = terminal.comptoir("chat", "Salut", *at(paths, url))
    assert (said.status, said.out) == (0, "a\ufffdb\n")


def test_a_question_that_is_not_utf_8_is_not_asked(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({PATH: (200, stream("b"))}, asked) as url:
        where = at(paths, url)
        of_arguments = terminal.comptoir("chat", "\udcff", *where)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))
        of_input = terminal.comptoir("chat", "-", *where)
    for said in (of_arguments, of_input):
        assert (said.status, said.err) == (1, "comptoir: What was typed is not UTF-8; nothing was asked.\n")
    assert asked == []


def test_an_endpoint_that_is_away_is_one_sentence(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_: 0.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        sentence = terminal.refusal("chat", "x", *at(paths, url.removesuffix("/v1")))
    assert "cannot be reached" in sentence


def test_without_a_key_the_sentence_says_where_one_comes_from(terminal: Terminal, paths: DataPaths) -> None:
    paths.api_key.unlink()
    sentence = terminal.refusal("chat", "x", "--data-dir", str(paths.root))
    assert "COMPTOIR_API_KEY" in sentence


def test_without_a_question_and_a_terminal_the_sentence_says_what_to_do(
    terminal: Terminal, paths: DataPaths
) -> None:
    assert "needs a terminal" in terminal.refusal("chat", "--data-dir", str(paths.root))


def test_a_pipe_gets_the_answer_as_it_is(terminal: Terminal, paths: DataPaths) -> None:
    with serving_http({PATH: (200, stream("a\x1bb"))}) as url:
        said = terminal.comptoir("chat", "x", *at(paths, url))
    assert said.out == "a\x1bb\n"


@pytest.mark.parametrize("model", [(), ("--model", "other")])
def test_the_key_of_the_data_folder_goes_to_no_other_endpoint(
    terminal: Terminal, paths: DataPaths, model: tuple[str, ...]
) -> None:
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({PATH: (200, stream("x"))}, asked) as url:
        where = ("--base-url", f"{url}/v1", "--data-dir", str(paths.root))
        sentence = terminal.refusal("chat", "x", *where, *model)
    assert asked == []
    assert "Set COMPTOIR_API_KEY" in sentence
    assert "cptr_kept" not in sentence


def test_another_endpoint_is_asked_with_the_key_of_the_environment_and_no_data_folder(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({PATH: (200, stream("x"))}, asked) as url:
        where = ("--base-url", f"{url}/v1", "--model", "m", "--data-dir", str(tmp_path / "none"))
        assert "COMPTOIR_API_KEY" in terminal.refusal("chat", "x", *where)
        monkeypatch.setenv("COMPTOIR_API_KEY", "cptr_given")
        said = terminal.comptoir("chat", "x", *where)
    assert (said.status, [key for _, _, key in asked]) == (0, ["Bearer cptr_given"])


def test_an_endpoint_that_is_no_url_is_one_sentence(terminal: Terminal, paths: DataPaths) -> None:
    where = ("--base-url", "http://127.0.0.1:port/v1", "--data-dir", str(paths.root))
    assert "--base-url must be a URL" in terminal.refusal("chat", "x", *where)

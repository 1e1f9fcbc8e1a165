"""languages: what a model counts in each language, and in which it answers."""

import json
import socket
from pathlib import Path

import pytest

from deploy.local.stack.paths import DataPaths
from services.cli.languages.corpus import LANGUAGES, QUESTIONS
from tests.services.cli.commands.test_chat import at
from tests.services.cli.http_server import serving_http
from tests.services.cli.running import Terminal

TOKENIZE, CHAT = "/v1/tokenize", "/v1/chat/completions"
TINY = Path(__file__).parents[4] / "deploy" / "models" / "tiny-eu"


def completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    said = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps(said).encode()


def test_an_endpoint_counts_and_answers(terminal: Terminal, paths: DataPaths) -> None:
    asked: list[tuple[str, bytes, str]] = []
    # As much as the letter that is asked first, of which all but one token are around any text.
    count = json.dumps({"count": 100, "max_model_len": 2048, "tokens": [1]}).encode()
    french = completion(QUESTIONS["fr"])
    with serving_http({TOKENIZE: (200, count), CHAT: (200, french)}, asked) as url:
        said = terminal.comptoir("languages", "--json", "--price", "0.4", *at(paths, url))
    assert (said.status, said.err) == (0, "")
    found = json.loads(said.out)
    assert found["model"] == "tiny-eu"
    assert [row["language"] for row in found["languages"]] == list(LANGUAGES)
    for row in found["languages"]:
        assert row["tokens"] == 3
        assert row["page_tokens"] == pytest.approx(3 * 1800 / row["characters"], abs=0.06)
        assert row["page_cost"] == pytest.approx(row["page_tokens"] * 0.4 / 1e6, rel=0.01)
    answers = {row["language"]: row for row in found["answers"]}
    assert list(answers) == ["en", "fr", "de", "es", "it", "nl"]
    assert (answers["fr"]["right"], answers["de"]["right"]) == (3, 0)
    assert set(answers["de"]["detected"]) == {"fr"}
    bodies = [json.loads(body) for path, body, _ in asked if path == TOKENIZE]
    assert [body["prompt"] for body in bodies[:4]] == ["a", *LANGUAGES["en"].paragraphs]
    assert {body["model"] for body in bodies} == {"tiny-eu"}


def test_the_tables_fit_a_terminal_and_say_what_is_dear(terminal: Terminal) -> None:
    said = terminal.comptoir("languages", "--tokenizer", str(TINY), "--price", "0.4")
    assert said.status == 0
    rows = [line for line in said.out.splitlines() if line.startswith("│")]
    assert len(rows) == len(LANGUAGES)
    assert "Greek" in rows[-1]
    assert max(map(len, said.out.splitlines())) <= 80


def test_chosen_languages_alone_are_counted(terminal: Terminal) -> None:
    said = terminal.comptoir(
        "languages", "--tokenizer", str(TINY), "--language", "fr", "--language", "el", "--json"
    )
    assert [row["language"] for row in json.loads(said.out)["languages"]] == ["fr", "el"]


def test_an_unknown_language_is_answered_with_those_there_are(terminal: Terminal) -> None:
    said = terminal.comptoir("languages", "--tokenizer", str(TINY), "--language", "geheim")
    assert said.status == 1
    assert said.err == f"comptoir: --language takes {', '.join(LANGUAGES)}.\n"


def test_a_tokenizer_that_is_not_there_is_said_in_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.comptoir("languages", "--tokenizer", str(tmp_path))
    assert said.status == 1
    assert said.err == f"comptoir: {tmp_path}/tokenizer.json is no tokenizer.json that can be read.\n"


def test_an_endpoint_that_counts_nothing_is_answered_with_the_next_step(
    terminal: Terminal, paths: DataPaths
) -> None:
    with serving_http({TOKENIZE: (200, b"{}")}, []) as url:
        said = terminal.comptoir("languages", "--no-answers", *at(paths, url))
    assert said.status == 1
    assert "--tokenizer" in said.err


def test_an_endpoint_that_answers_without_a_choice_is_said_in_a_sentence(
    terminal: Terminal, paths: DataPaths
) -> None:
    count, empty = json.dumps({"count": 100}).encode(), json.dumps({"choices": []}).encode()
    for answer in (empty, b"{}"):
        with serving_http({TOKENIZE: (200, count), CHAT: (200, answer)}, []) as url:
            said = terminal.comptoir("languages", "--language", "fr", *at(paths, url))
        assert said.status == 1
        assert "without any choice" in said.err


def test_an_endpoint_that_is_not_there_is_said_in_a_sentence(terminal: Terminal, paths: DataPaths) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        said = terminal.comptoir("languages", *at(paths, f"http://127.0.0.1:{closed.getsockname()[1]}"))
    assert said.status == 1
    assert said.err.startswith("comptoir: ")
    assert said.err.count("\n") == 1

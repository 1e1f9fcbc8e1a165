import json

from tests.bench.beside.chat import Endpoint, Said, failure_of, output_tokens, whole_answer
from tests.bench.beside.served import FINISH, PRELUDE, SPACED, TEXT, USAGE, chunked


def test_the_request_is_greedy_asks_for_usage_and_says_its_length() -> None:
    request = Endpoint(80, "tiny-eu", "key").request("Écris.", 7)
    head, _, body = request.partition(b"\r\n\r\n")
    wish = json.loads(body)
    assert (wish["temperature"], wish["max_tokens"], wish["stream_options"]) == (
        0,
        7,
        {"include_usage": True},
    )
    assert b"content-length: %d" % len(body) in head
    assert b"authorization: Bearer key" in head


def test_a_whole_answer_is_not_streamed() -> None:
    assert b'"stream"' not in Endpoint(80, "tiny-eu").request("Écris.", 7, is_streamed=False)


def test_the_usage_is_found_at_the_end_and_nowhere_else() -> None:
    assert output_tokens(chunked(TEXT, USAGE)) == 20
    assert output_tokens(b'{"usage": {"completion_tokens": 2}}') == 2
    assert output_tokens(chunked(TEXT)) is None


def test_an_answer_without_usage_with_another_status_or_an_error_inside_is_none() -> None:
    assert failure_of(200, chunked(TEXT, USAGE)) == ""
    assert failure_of(503, b"{}") == "status 503"
    assert failure_of(200, chunked(TEXT)) == "no usage"
    assert failure_of(200, chunked(TEXT, b'data: {"error":{"message":"x"}}\n\n')) == "an error in the stream"


def test_the_events_of_an_answer_become_its_text() -> None:
    body = chunked(PRELUDE, TEXT, SPACED, FINISH, USAGE)
    assert whole_answer(body) == Said("BonjourBonjour", "stop", 3, 20)

"""The chats that are asked of every HTTP server alike, and what is read of their answers."""

import json
import re
from dataclasses import dataclass
from typing import Any

_OUTPUT_TOKENS = re.compile(rb'"completion_tokens": ?(\d+)')
_LAST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens, the name of its model, and a key."""

    port: int
    model: str
    api_key: str = "none"

    def request(self, prompt: str, max_tokens: int, *, is_streamed: bool = True) -> bytes:
        """Returns a chat's request, greedy so that every server generates the same tokens."""
        wish: dict[str, Any] = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": prompt}],
        }
        if is_streamed:
            wish |= {"stream": True, "stream_options": {"include_usage": True}}
        body = json.dumps(wish).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self.api_key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True, slots=True)
class Said:
    """A whole answer: its text, why it ended, and its tokens."""

    text: str
    finish: str
    input_tokens: int
    output_tokens: int


def output_tokens(body: bytes) -> int | None:
    """Returns the count in the usage, which comes last; None where there is none."""
    found = _OUTPUT_TOKENS.findall(body, max(0, len(body) - _LAST_BYTES))
    return int(found[-1]) if found else None


def failure_of(status: int, body: bytes) -> str:
    """Returns why an answer is none, in words without any of it; empty for a good one."""
    if status != 200:
        return f"status {status}"
    if b'data: {"error"' in body[-_LAST_BYTES:]:
        return "an error in the stream"
    return "" if output_tokens(body) is not None else "no usage"


def whole_answer(body: bytes) -> Said:
    """Joins the events of a streamed answer."""
    texts: list[str] = []
    usage: dict[str, int] = {}
    finish = ""
    for line in body.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            texts.append(choice["delta"].get("content") or "")
            finish = choice.get("finish_reason") or finish
    return Said("".join(texts), finish, usage["prompt_tokens"], usage["completion_tokens"])

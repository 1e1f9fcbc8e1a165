"""Bodies that cost the most within the edge's bounds: 1 MiB, 20,000 values, 64 levels."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.paths import (
    CHAT_PATH,
    COMPLETIONS_PATH,
    EMBEDDINGS_PATH,
    INPUT_TOKENS_PATH,
    RESPONSES_PATH,
    TOKENIZE_PATH,
)
from services.edge.domain.structure import MAX_DEPTH, MAX_VALUES

MIB: Final = 1024 * 1024
EMBEDDING_MODEL: Final = "tiny-embed-eu"
# What stands around the values of a body.
_AROUND: Final = 512
_PAIR: Final = r"\ud83d\ude00"
_MESSAGES: Final = 1024
_TOOLS: Final = 128
_SCHEMA_BYTES: Final = 64_000


@dataclass(frozen=True, slots=True)
class WorstBody:
    """One request whose body costs much; `coding` is the value of its `Content-Encoding`."""

    name: str
    path: str
    content: bytes
    coding: str = ""

    def request(self, api_key: str) -> bytes:
        """Returns it as it goes over the wire."""
        coding = f"content-encoding: {self.coding}\r\n" if self.coding else ""
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{coding}"
            f"authorization: Bearer {api_key}\r\ncontent-length: {len(self.content)}\r\n\r\n"
        )
        return head.encode() + self.content


def worst_bodies(model: str) -> list[WorstBody]:
    """Returns one of each kind."""
    made = (_chats, _shapes, _texts, _tools, _prompts, _responses, _coded)
    return [worst for make in made for worst in make(model)]


def small_embedding() -> WorstBody:
    """Returns a request for one vector, which is answered once vectors are served at all."""
    return WorstBody("one vector", EMBEDDINGS_PATH, _json({"model": EMBEDDING_MODEL, "input": "Hi"}))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, **fields}


def _literal(model: str, text: str) -> bytes:
    """Returns a chat whose one text is written as `text`, with its escapes."""
    return _json(_chat(model, messages=[{"role": "user", "content": "@"}])).replace(b"@", text.encode())


def _chats(model: str) -> Iterator[WorstBody]:
    text = "é" * (MIB // _MESSAGES // 2 - 32)
    messages: list[Any] = [{"role": "user", "content": text} for _ in range(_MESSAGES)]
    yield WorstBody("1024 messages", CHAT_PATH, _json(_chat(model, messages=messages)))
    parts = MAX_VALUES // 3 // _MESSAGES - 1
    part: Any = {"type": "text", "text": "é" * (MIB // _MESSAGES // parts // 2 - 24)}
    messages = [{"role": "user", "content": [part] * parts} for _ in range(_MESSAGES)]
    yield WorstBody("1024 messages of parts", CHAT_PATH, _json(_chat(model, messages=messages)))
    text = "é" * (MIB // 2 - _AROUND)
    yield WorstBody("one text", CHAT_PATH, _literal(model, text))
    sampling = {
        "logit_bias": {str(token): -1 for token in range(1024)},
        "stop_token_ids": list(range(64)),
        "n": 16,
        "logprobs": True,
        "top_logprobs": 7,
    }
    many = [{"type": "text", "text": "é" * 60}] * (MAX_VALUES // 3 - 64)
    messages = [{"role": "user", "content": many}]
    yield WorstBody("one message of 6,600 parts", CHAT_PATH, _json(_chat(model, messages=messages)))
    stops = {"stop": ["é"] * (MAX_VALUES - 64)}
    yield WorstBody("20,000 stop strings", CHAT_PATH, _json(_chat(model, **stops)))
    biases = {"logit_bias": {str(token): 1 for token in range(MAX_VALUES - 64)}}
    yield WorstBody("20,000 biases", CHAT_PATH, _json(_chat(model, **biases)))
    yield WorstBody("sampling of 1024 biases", CHAT_PATH, _json(_chat(model, **sampling)))


def _shapes(model: str) -> Iterator[WorstBody]:
    many = [0] * (MAX_VALUES - 32)
    yield WorstBody("numbers in an unknown field", CHAT_PATH, _json(_chat(model, unknown=many)))
    deep: Any = 0
    for _ in range(MAX_DEPTH - 4):
        deep = [deep]
    nested = [deep] * (MAX_VALUES // MAX_DEPTH - 16)
    yield WorstBody("lists of 60 levels", CHAT_PATH, _json(_chat(model, unknown=nested)))
    own = dict.fromkeys(ChatBody.__struct_fields__)
    keys = {f"{index:040}": None for index in range(MAX_VALUES - 64)}
    yield WorstBody("unknown keys", CHAT_PATH, _json(own | _chat(model) | keys))
    objects: list[Any] = [{} for _ in range(MAX_VALUES // 2 - 64)]
    yield WorstBody("empty objects as messages", CHAT_PATH, _json(_chat(model, messages=objects)))


def _texts(model: str) -> Iterator[WorstBody]:
    room = MIB - _AROUND
    yield WorstBody("pairs of surrogates", CHAT_PATH, _literal(model, _PAIR * (room // len(_PAIR))))
    yield WorstBody("escaped quotes", CHAT_PATH, _literal(model, r"\"" * (room // 2)))
    yield WorstBody("escaped controls", CHAT_PATH, _literal(model, r"\u0001" * (room // 6)))
    half = _PAIR * (room // len(_PAIR) - 1) + r"\ud83d"
    yield WorstBody("half a pair at the end", CHAT_PATH, _literal(model, half))
    yield WorstBody("JSON that breaks at its end", CHAT_PATH, _literal(model, "é" * (room // 2))[:-2] + b"!}")
    yield WorstBody("no UTF-8 at the end", CHAT_PATH, _literal(model, "é" * (room // 2))[:-9] + b"\xff" * 9)
    yield WorstBody("quotes alone", CHAT_PATH, b'"' * MIB)
    yield WorstBody("commas alone", CHAT_PATH, b"," * MIB)


def _schema(size: int) -> dict[str, Any]:
    member: dict[str, Any] = {"type": "string", "enum": ["é", "è"], "description": "é" * 40}
    count = size // (len(_json(member)) + 10)
    return {"type": "object", "properties": {f"p{index:04}": member for index in range(count)}}


def _tool(index: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": f"tool_{index}", "parameters": schema}}


def _tools(model: str) -> Iterator[WorstBody]:
    four = [_tool(index, _schema(_SCHEMA_BYTES)) for index in range(4)]
    yield WorstBody("4 tools of 64 KiB", CHAT_PATH, _json(_chat(model, tools=four, tool_choice="required")))
    fifteen = [_tool(index, {"type": "object", "description": "é" * 32_000}) for index in range(15)]
    yield WorstBody("15 tools of 64 KiB", CHAT_PATH, _json(_chat(model, tools=fifteen)))
    many = [_tool(index, _schema(1500)) for index in range(_TOOLS)]
    yield WorstBody("128 tools", CHAT_PATH, _json(_chat(model, tools=many, tool_choice="required")))
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": _schema(_SCHEMA_BYTES)}}
    yield WorstBody("a schema of 64 KiB", CHAT_PATH, _json(_chat(model, response_format=form)))
    zeros = f'{{"a":[{",".join("0" * (MIB // 2 - 2 * _AROUND))}]}}'
    yield WorstBody(
        "a call of 1 MiB of text", CHAT_PATH, _json(_chat(model, messages=_called([_text_call()])))
    )
    named = [{"type": "function", "function": {"name": f"tool_{index}"}} for index in range(5_000)]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named}}
    one = [_tool(0, _schema(1500))]
    yield WorstBody("5,000 allowed tools", CHAT_PATH, _json(_chat(model, tools=one, tool_choice=allowed)))
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(MAX_DEPTH // 2 - 6):
        deep = {"type": "object", "properties": {"a": deep}}
    wide = {"type": "object", "properties": {f"p{index}": deep for index in range(24)}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": wide}}
    yield WorstBody("a deep schema", CHAT_PATH, _json(_chat(model, response_format=form)))
    members: dict[str, Any] = {f"{index:x}": {} for index in range(5_500)}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"properties": members}}}
    yield WorstBody("a schema of 5,500 members", CHAT_PATH, _json(_chat(model, response_format=form)))
    yield WorstBody("a call of 500,000 numbers", CHAT_PATH, _json(_chat(model, messages=_called([zeros]))))
    each = f'{{"a":"{"é" * 130}"}}'
    yield WorstBody("2,500 calls", CHAT_PATH, _json(_chat(model, messages=_called([each] * 2500))))


def _text_call() -> str:
    return f'{{"a":"{"é" * (MIB // 2 - 2 * _AROUND)}"}}'


def _called(arguments: list[str]) -> list[dict[str, Any]]:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "tool", "arguments": each}} for each in arguments
    ]
    asked: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
    return asked + [
        {"role": "assistant", "tool_calls": calls[start : start + _TOOLS]}
        for start in range(0, len(calls), _TOOLS)
    ]


def _prompts(model: str) -> Iterator[WorstBody]:
    def completion(prompt: Any) -> bytes:
        return _json({"model": model, "prompt": prompt, "max_tokens": 1})

    ids = [index % 2048 for index in range(16_000)]
    yield WorstBody("16,000 token ids", COMPLETIONS_PATH, completion(ids))
    lists = [ids[start : start + 600] for start in range(0, 32 * 500, 500)]
    yield WorstBody("32 prompts of ids", COMPLETIONS_PATH, completion(lists))
    yield WorstBody("32 prompts of 32 KiB", COMPLETIONS_PATH, completion(["é" * 16_000] * 32))
    # The last is too long, which is known once the others are tokenized: vectors of them all take a minute.
    texts = [*["é" * 240] * 2000, "é" * 32_000]
    for name, inputs in (("ids", [ids[:8]] * 2000), ("texts", texts)):
        embedded = {"model": EMBEDDING_MODEL, "input": inputs, "encoding_format": "float"}
        yield WorstBody(f"embeddings of {name}", EMBEDDINGS_PATH, _json(embedded))
    text = "é" * (MIB // 2 - _AROUND)
    yield WorstBody("/tokenize of 1 MiB", TOKENIZE_PATH, _json({"model": model, "prompt": text}))
    parts = [{"type": "input_text", "text": "é" * 50}] * 5
    items = [{"role": "user", "content": parts}] * 1000
    many = [{"role": "user", "content": "é" * 400}] * 1024
    yield WorstBody("/tokenize of 1024 messages", TOKENIZE_PATH, _json({"model": model, "messages": many}))
    yield WorstBody("an input of 1000 items", INPUT_TOKENS_PATH, _json({"model": model, "input": items}))


def _responses(model: str) -> Iterator[WorstBody]:
    def response(**fields: Any) -> bytes:
        return _json({"model": model, "input": "Hi", "max_output_tokens": 1, **fields})

    parts = [{"type": "input_text", "text": "é" * 50}] * 5
    items: list[Any] = [{"role": "user", "content": parts}] * 1000
    yield WorstBody("a response to 1000 items", RESPONSES_PATH, response(input=items))
    call = {"type": "function_call", "call_id": "a", "name": "tool", "arguments": f'{{"a":"{"é" * 400}"}}'}
    yield WorstBody("a response to 1000 calls", RESPONSES_PATH, response(input=[call] * 1000))
    output = {"type": "function_call_output", "call_id": "a", "output": parts}
    yield WorstBody("a response to 1000 outputs", RESPONSES_PATH, response(input=[output] * 1000))
    many = [
        {"type": "function", "name": f"tool_{index}", "parameters": _schema(1500)} for index in range(_TOOLS)
    ]
    yield WorstBody("a response with 128 tools", RESPONSES_PATH, response(tools=many, tool_choice="required"))
    large = {"type": "object", "description": "é" * 32_000}
    fifteen = [{"type": "function", "name": f"tool_{index}", "parameters": large} for index in range(15)]
    yield WorstBody("a response with 15 tools of 64 KiB", RESPONSES_PATH, response(tools=fifteen))


def _coded(model: str) -> Iterator[WorstBody]:
    text = _literal(model, "é" * (MIB // 2 - _AROUND))
    yield WorstBody("gzip of 1 MiB", CHAT_PATH, gzip.compress(text, 9), "gzip")
    yield WorstBody("gzip of 16 MiB", CHAT_PATH, gzip.compress(b" " * (16 * MIB), 9), "gzip")
    flush = zlib.compressobj(9)
    empty = b"".join(flush.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    yield WorstBody("deflate of empty blocks", CHAT_PATH, _empty_blocks(empty), "deflate")


def _empty_blocks(start: bytes) -> bytes:
    # A stored block of no bytes is five bytes: the inflater reads 200,000 of them for nothing.
    return start + b"\x00\x00\x00\xff\xff" * (MIB // 5 - 8)

"""What a server sends, for tests: the head and the events of an answer."""

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-count: 0\r\n\r\n"
)
PRELUDE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
TEXT = b'data: {"choices":[{"delta":{"content":"Bonjour"}}]}\n\n'
SPACED = b'data: {"choices": [{"delta": {"content": "Bonjour"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":20}}\n\ndata: [DONE]\n\n'
FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


def chunked(*events: bytes) -> bytes:
    """The body of an answer, with the chunk that ends it."""
    return b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in (*events, b""))

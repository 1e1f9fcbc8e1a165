"""The bound on messages refuses none that could be served."""

from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.request_size import MOST_BYTES, most_request_bytes

TICKET = ticket_pb2.SignedTicket(claims=b"c" * 512, signature=b"s" * 64, signing_key_number=2**32 - 1)
SAMPLING = generator_pb2.Sampling(max_output_tokens=1, temperature=1, seed=-1, stop=["x" * 256] * 4)


@given(st.lists(st.integers(1, 64), min_size=1, max_size=1024), st.integers(1, 64))
def test_a_prompt_of_the_most_bytes_per_token_fits_however_it_is_cut(turns: list[int], longest: int) -> None:
    """Every turn has at least one token, and `longest` bytes of text in each of its tokens."""
    messages = [
        generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="x" * (tokens * longest))
        for tokens in turns
    ]
    request = generator_pb2.GenerateRequest(ticket=TICKET, messages=messages, sampling=SAMPLING)
    assert request.ByteSize() <= most_request_bytes(sum(turns), longest)


@given(st.integers(1, 10**9), st.integers(1, 1024))
def test_no_model_makes_the_bound_larger_than_the_transports(tokens: int, longest: int) -> None:
    assert most_request_bytes(tokens, longest) <= MOST_BYTES

"""What a replica counted, read in steps."""

import array
from typing import Final

from comptoir.generator.v1 import generator_pb2

from services.edge.domain.ports import TokenCount
from services.kernel.steps import Steps
from services.runtime.grpc.message_pieces import pieces_of

# What a replica writes of ids at once, about a millisecond each; what is shorter is read together.
_BYTES_PER_STEP: Final = 32 * 1024


def counted_steps(content: bytes) -> Steps[TokenCount]:
    """Returns what a serialized CountTokensResponse says; raises DecodeError."""
    tokens = context_tokens = 0
    ids = array.array("I")
    for piece in pieces_of(content, least_bytes=_BYTES_PER_STEP):
        counted = generator_pb2.CountTokensResponse.FromString(piece)
        tokens, context_tokens = tokens or counted.input_tokens, context_tokens or counted.context_tokens
        ids.extend(counted.token_ids)
        yield
    return TokenCount(tokens, context_tokens, ids)

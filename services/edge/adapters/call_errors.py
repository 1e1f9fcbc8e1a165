"""What a failed call to another process is to a client of the edge."""

from collections.abc import Mapping

import grpc

from services.edge.domain.openai.public_names import from_schema
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.status import error_from


def call_error(failure: grpc.aio.AioRpcError, instead: Mapping[Reason, Reason]) -> ComptoirError:
    """Returns the error of a failed call, its field as clients spell it.

    `instead` replaces reasons that say something of the call and nothing of the client's request.
    """
    return told(error_from(failure), instead)


def told(error: ComptoirError, instead: Mapping[Reason, Reason]) -> ComptoirError:
    """Returns what a client is told of an error of another process; as `call_error`.

    It is a new one: where a stream breaks, all calls on it have the same error, and one that many tasks raise
    holds the frames of all of them.
    """
    if error.reason in instead:
        return ComptoirError(instead[error.reason])
    said = ComptoirError(
        error.reason,
        field=from_schema(error.field),
        retry_after_seconds=error.retry_after_seconds,
        numbers=error.numbers,
        quota=error.quota,
    )
    said.transfer_record, said.home_region = error.transfer_record, error.home_region
    return said

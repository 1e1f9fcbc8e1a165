"""Requests with a long list, read and held against their schema in steps: others have their turn between."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from buf.validate import validate_pb2
from google.protobuf.message import Message

from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps
from services.runtime.grpc.interceptors import parsed_request, validate

_Request = TypeVar("_Request", bound=Message)
# About a millisecond.
PIECES_PER_STEP: Final = 256


def request_steps(
    parse: Callable[[bytes], _Request], content: bytes, *, long: str, pieces: Callable[[Any], int]
) -> Steps[_Request]:
    """Returns, in steps, what `read_request` does; raises as it does.

    `long` is the field of the list, whose elements have so many `pieces` each.
    """
    request = parsed_request(parse, content)
    yield
    elements: Sequence[Any] = getattr(request, long)
    # Before anyone goes through them.
    _check_count(request, long, len(elements))
    ends = _ends(elements, pieces)
    if len(ends) <= 1:
        validate(request)
        return request
    others = {field.name: value for field, value in request.ListFields() if field.name != long}
    begin = 0
    for end in ends:
        # By the rules of the whole: what stands beside the list is held against them once.
        validate(type(request)(**others, **{long: elements[begin:end]}))
        others = {name: value for name, value in others.items() if name == "ticket"}
        begin = end
        yield
    return request


def _ends(elements: Sequence[Any], pieces: Callable[[Any], int]) -> list[int]:
    ends, count = [], 0
    for number, element in enumerate(elements, 1):
        count += pieces(element)
        if count >= PIECES_PER_STEP or number == len(elements):
            ends.append(number)
            count = 0
    return ends


def _check_count(request: Message, long: str, count: int) -> None:
    rules = request.DESCRIPTOR.fields_by_name[long].GetOptions().Extensions[validate_pb2.field]
    if rules.repeated.HasField("max_items") and count > rules.repeated.max_items:
        raise ComptoirError(Reason.REQUEST_INVALID, field=long)

"""RecordRequest to events: refuses what a producer may not set, and replaces numbers by pseudonyms."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from comptoir.emitter.v1.emitter_pb2 import RecordRequest, RecordResponse
from comptoir.usage.v1 import usage_pb2
from google.protobuf.descriptor import Descriptor

from services.contract.events import Kind
from services.contract.pseudonym import Pseudonyms
from services.emitter.domain.agreement import Source
from services.emitter.domain.event_rules import EventRules, NotTakenNowError
from services.emitter.domain.ports import Taken
from services.kernel.errors import ComptoirError, Reason
from services.runtime.event_messages import EVENT_TYPES, by_kind
from services.runtime.grpc.interceptors import validate

# What the emitter sets itself; a producer that sets one is confused, or smuggles bits past the pseudonyms.
_RESERVED: Final = ("producer_id", "producer_sequence", "tenant_high", "key_high", "key_epoch")

# The producer's id and sequence, and the tag and length before the event.
_NUMBERING_BYTES: Final = 9 + 11 + 4


def _enums_of(event: Descriptor) -> Sequence[tuple[str, Collection[int]]]:
    """Returns the fields that are enums, each with the numbers that it has here."""
    return [
        (field.name, frozenset(field.enum_type.values_by_number))
        for field in event.fields
        if field.enum_type is not None
    ]


_ENUMS: Final = {kind: _enums_of(EVENT_TYPES[kind].DESCRIPTOR) for kind in Kind}


def _is_awaited(kind: Kind, message: Any) -> bool:
    # Of a refusal nobody waits for the record: it has its answer already.
    is_admitted = kind is Kind.ADMISSION and message.decision == usage_pb2.DECISION_ADMITTED
    return is_admitted or kind in {Kind.GENERATION, Kind.ADMIN_ACT}


class WireEvent:
    """An event of the schema, ready for the spool."""

    __slots__ = ("_message", "event_id", "is_awaited", "kind", "size_bytes")

    def __init__(self, kind: Kind, message: Any) -> None:
        self.kind = kind
        self.event_id = message.event_id_high.to_bytes(8, "big") + message.event_id_low.to_bytes(8, "big")
        self.size_bytes = message.ByteSize() + _NUMBERING_BYTES
        self.is_awaited = _is_awaited(kind, message)
        self._message = message

    def numbered(self, producer_id: int, sequence: int) -> bytes:
        """Returns the serialized event of a producer and sequence."""
        self._message.producer_id = producer_id
        self._message.producer_sequence = sequence
        body: bytes = self._message.SerializeToString()
        return body


def events_from(
    request: RecordRequest, pseudonyms: Pseudonyms, rules: EventRules, *, now_microseconds: int
) -> Sequence[WireEvent]:
    """Returns the request's events under pseudonyms.

    Raises REQUEST_INVALID with the field that broke a rule where an event can never be stored, and
    NotTakenNowError where another clock, program or region would take it. The events are the request's
    own messages, changed in place.
    """
    _refuse_unknown_fields(request)
    events = []
    for kind, messages in by_kind(request):
        field = kind.request_field
        for message in messages:
            _refuse_newer(message, kind, rules)
            _refuse_broken(message, field, now_microseconds)
            _refuse_reserved(message, field)
            if broken := rules.broken_by(message, now_microseconds):
                raise NotTakenNowError(f"{field}.{broken}", _offset_seconds(message, now_microseconds))
            if isinstance(message, usage_pb2.Generation):
                _refuse_impossible(message, field, rules)
            _pseudonymise(message, pseudonyms)
            events.append(WireEvent(kind, message))
    return events


def response_of(taken: Taken) -> RecordResponse:
    """Returns what a producer is told of a batch that is durable."""
    return RecordResponse(accepted=taken.accepted, duplicates=taken.duplicates)


def sources_of(request: RecordRequest) -> set[Source]:
    """Returns who made the request's events.

    A replica has a word as the maker of generations and another as that of load samples: where its model is
    not in this emitter's catalog, say, its generations alone are refused, and not because of the clock.
    """
    return {
        Source(kind, getattr(message, kind.maker_field) if kind.maker_field else 0)
        for kind, messages in by_kind(request)
        for message in messages
    }


def sources_at_fault(request: RecordRequest, refusal: NotTakenNowError) -> set[Source]:
    """Returns the request's sources whose events are not acceptable; all, where the refusal names no kind.

    Events of one process travel together, so the others may be good: they are sent again without these.
    """
    named = refusal.field.partition(".")[0]
    kinds = {kind for kind in Kind if kind.request_field == named} or set(Kind)
    return {source for source in sources_of(request) if source.kind in kinds}


def _refuse_unknown_fields(request: RecordRequest) -> None:
    """Refuses fields that the schema does not know: one could be text, and would travel on in the event.

    Most likely it is a newer producer's, so the event is not refused for good.
    """
    size_bytes = request.ByteSize()
    request.DiscardUnknownFields()
    if request.ByteSize() != size_bytes:
        raise NotTakenNowError("schema_version")


def _refuse_newer(message: Any, kind: Kind, rules: EventRules) -> None:
    """Refuses larger versions, and numbers of enums that this build does not know: a newer producer's."""
    if message.schema_version > rules.schema_version:
        raise NotTakenNowError(f"{kind.request_field}.schema_version")
    for name, known in _ENUMS[kind]:
        if getattr(message, name) not in known:
            raise NotTakenNowError(f"{kind.request_field}.{name}")


def _refuse_broken(message: Any, field: str, now_microseconds: int) -> None:
    try:
        validate(message)
    except ComptoirError as refusal:
        if refusal.field == "started_at_microseconds":  # a clock that began at 1970 is a clock all the same
            offset_seconds = _offset_seconds(message, now_microseconds)
            raise NotTakenNowError(f"{field}.{refusal.field}", offset_seconds) from None
        raise ComptoirError(refusal.reason, field=f"{field}.{refusal.field}") from None


def _refuse_impossible(message: usage_pb2.Generation, field: str, rules: EventRules) -> None:
    """Counts above the model's limits are forged, or of a newer catalog than this emitter's.

    A refused generation may have counted a prompt that did not fit.
    """
    is_refused = message.outcome == usage_pb2.OUTCOME_REFUSED and not message.output_tokens
    if not is_refused and (exceeded := rules.exceeded_by(message)):
        raise NotTakenNowError(f"{field}.{exceeded}")


def _offset_seconds(message: Any, now_microseconds: int) -> float:
    offset_seconds: float = (message.started_at_microseconds - now_microseconds) / 1_000_000
    return offset_seconds


def _refuse_reserved(message: Any, field: str) -> None:
    for name in _RESERVED:
        if getattr(message, name):
            raise ComptoirError(Reason.REQUEST_INVALID, field=f"{field}.{name}")
    if not (message.event_id_high or message.event_id_low):
        # Without an id of its own, every event after the first would count as sent before.
        raise ComptoirError(Reason.REQUEST_INVALID, field=f"{field}.event_id_low")


def _pseudonymise(message: Any, pseudonyms: Pseudonyms) -> None:
    message.tenant_high, message.tenant_low = pseudonyms.tenant(message.tenant_low)
    message.key_high, message.key_low = pseudonyms.key(message.key_low)
    message.key_epoch = pseudonyms.epoch

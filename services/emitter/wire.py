"""RecordRequest to events: refuses what a producer may not set, and replaces numbers by pseudonyms."""

from collections.abc import Iterable, Sequence

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2

from services.emitter.domain.demands import Demands
from services.emitter.domain.frame import Kind
from services.emitter.domain.pseudonym import Pseudonyms
from services.runtime.errors import ComptoirError, Reason

Message = usage_pb2.Admission | usage_pb2.Generation | usage_pb2.EdgeRequest | usage_pb2.ReplicaLoad

# What the emitter sets itself; a producer that sets one is confused, or smuggles bits past the pseudonyms.
_RESERVED = ("producer_id", "producer_sequence", "tenant_high", "key_high", "key_epoch")

# The producer's id and sequence, and the tag and length before the event.
_NUMBERING_BYTES = 9 + 11 + 4


class WireEvent:
    """An event of the schema, ready for the spool."""

    __slots__ = ("_message", "event_id", "kind", "size_bytes")

    def __init__(self, kind: Kind, message: Message) -> None:
        self.kind = kind
        self.event_id = message.event_id_high.to_bytes(8, "big") + message.event_id_low.to_bytes(8, "big")
        self.size_bytes = message.ByteSize() + _NUMBERING_BYTES
        self._message = message

    def numbered(self, producer_id: int, sequence: int) -> bytes:
        """The serialized event of a producer and sequence."""
        self._message.producer_id = producer_id
        self._message.producer_sequence = sequence
        return self._message.SerializeToString()


def events_from(
    request: RecordRequest, pseudonyms: Pseudonyms, demands: Demands, *, now_microseconds: int
) -> Sequence[WireEvent]:
    """The request's events under pseudonyms; raises REQUEST_INVALID with the field that broke a rule.

    The events are the request's own messages, changed in place.
    """
    _refuse_unknown_fields(request)
    kinds: Iterable[tuple[Kind, str, Iterable[Message]]] = (
        (Kind.ADMISSION, "admissions", request.admissions),
        (Kind.GENERATION, "generations", request.generations),
        (Kind.EDGE_REQUEST, "edge_requests", request.edge_requests),
        (Kind.REPLICA_LOAD, "replica_loads", request.replica_loads),
    )
    events = []
    for kind, field, messages in kinds:
        for message in messages:
            _refuse_reserved(message, field)
            if broken := demands.broken_by(message, now_microseconds):
                raise ComptoirError(Reason.REQUEST_INVALID, field=f"{field}.{broken}")
            _pseudonymise(message, pseudonyms)
            events.append(WireEvent(kind, message))
    return events


def _refuse_unknown_fields(request: RecordRequest) -> None:
    """A field that the schema does not know could be text, and would travel on inside the event."""
    size_bytes = request.ByteSize()
    request.DiscardUnknownFields()
    if request.ByteSize() != size_bytes:
        raise ComptoirError(Reason.REQUEST_INVALID)


def _refuse_reserved(message: Message, field: str) -> None:
    for name in _RESERVED:
        if getattr(message, name):
            raise ComptoirError(Reason.REQUEST_INVALID, field=f"{field}.{name}")
    if not (message.event_id_high or message.event_id_low):
        # Without an id of its own, every event after the first would count as sent before.
        raise ComptoirError(Reason.REQUEST_INVALID, field=f"{field}.event_id_low")


def _pseudonymise(message: Message, pseudonyms: Pseudonyms) -> None:
    message.tenant_high, message.tenant_low = pseudonyms.tenant(message.tenant_low)
    message.key_high, message.key_low = pseudonyms.key(message.key_low)
    message.key_epoch = pseudonyms.epoch

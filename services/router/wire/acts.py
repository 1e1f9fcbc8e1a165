"""Between the methods of AdminService and the events of its acts; pure functions."""

import re
from typing import Any, Final

from comptoir.usage.v1 import usage_pb2

from services.contract.callers import caller_digest
from services.contract.events import EVENT_SCHEMA_VERSION
from services.router.domain.acts import ActEvent, Caller, CallerKind, Deed, Subject

# The bound of the schema.
_MOST_REQUESTS: Final = 1_000_000
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")
_READS: Final = ("Get", "List")
_SUBJECTS: Final = {subject.name: subject for subject in Subject}


def deed_of(rpc: str) -> Deed:
    """Returns what a method does, by its name: `DrainReplica` changes, `ListKeys` shows keys.

    LookupError for a method that `comptoir.usage.v1.Act` has no name for.
    """
    words = _WORD.sub("_", rpc).upper()
    if f"ACT_{words}" not in usage_pb2.Act.keys():  # noqa: SIM118 - a wrapper, which is no mapping
        raise LookupError(f"protos/comptoir/usage/v1/usage.proto has no ACT_{words}")
    subject = _SUBJECTS.get(words.rpartition("_")[2].removesuffix("S"), Subject.UNSPECIFIED)
    return Deed(usage_pb2.Act.Value(f"ACT_{words}"), subject, changes=not rpc.startswith(_READS))


def subject_number(deed: Deed, message: Any) -> int:
    """Returns the number that a request or an answer has of what the act is about; 0 where it has none."""
    fields = message.DESCRIPTOR.fields_by_name
    if "number" in fields:
        return int(message.number)
    name = deed.subject.name.lower()
    if name in fields and fields[name].message_type is not None and not fields[name].is_repeated:
        return int(getattr(message, name).number)
    return 0


def caller_of(names: tuple[str, ...] | None, *, owner: int) -> Caller:
    """Returns who called, by the first of its names; without a certificate it is the socket's owner."""
    if names is None:
        return Caller(CallerKind.SOCKET, owner)
    return Caller(CallerKind.CERTIFICATE, caller_digest(next(filter(None, names), "")))


def admin_act(event: ActEvent) -> usage_pb2.AdminAct:
    """Returns the event of an act; the emitter adds its own sequence."""
    return usage_pb2.AdminAct(
        event_id_high=event.event_id.high,
        event_id_low=event.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=event.act_id.high,
        request_id_low=event.act_id.low,
        region=event.region,
        config_digest=event.config_digest,
        started_at_microseconds=event.started_at_microseconds,
        act=event.deed.act,  # type: ignore[arg-type] # the enum's stub type is nominal
        stage=int(event.stage),  # type: ignore[arg-type] # the enum's stub type is nominal
        reason=int(event.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        caller_kind=int(event.caller.kind),  # type: ignore[arg-type] # the enum's stub type is nominal
        caller=event.caller.number,
        subject=int(event.deed.subject),  # type: ignore[arg-type] # the enum's stub type is nominal
        subject_number=event.subject_number,
        requests=min(event.requests, _MOST_REQUESTS) if event.requests > 1 else 0,
        duration_microseconds=event.duration_microseconds,
    )

"""What is recorded of an operator's act; numbers and identities, never text."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from services.kernel.errors import Reason
from services.kernel.identity import Identity


class Stage(IntEnum):
    """How far an act came, by the number of `comptoir.usage.v1.ActStage`."""

    ASKED = 1
    DONE = 2
    REFUSED = 3


class CallerKind(IntEnum):
    """How a caller was known, by the number of `comptoir.usage.v1.CallerKind`."""

    SOCKET = 1
    CERTIFICATE = 2


class Subject(IntEnum):
    """What kind of thing an act is about, by the number of `comptoir.usage.v1.Subject`."""

    UNSPECIFIED = 0
    TENANT = 1
    KEY = 2
    REPLICA = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: the number of a socket's owner, or the digest of the name in a certificate."""

    kind: CallerKind
    number: int


@dataclass(frozen=True, slots=True)
class Deed:
    """What is asked, by the number of `comptoir.usage.v1.Act`, and what follows from it.

    `changes` says that something is another thing afterwards, `shows_somebody` that the answer is about
    tenants or keys.
    """

    act: int
    subject: Subject
    changes: bool

    @property
    def shows_somebody(self) -> bool:
        """Tells whether the answer is about tenants or keys."""
        return self.subject in {Subject.TENANT, Subject.KEY}


@dataclass(frozen=True, slots=True)
class ActEvent:
    """One act, or one stage of it; `comptoir.usage.v1.AdminAct` has the meanings."""

    event_id: Identity
    act_id: Identity
    region: int
    config_digest: int
    started_at_microseconds: int
    duration_microseconds: int
    deed: Deed
    stage: Stage
    reason: Reason
    caller: Caller
    subject_number: int
    # Refused calls that this one stands for.
    requests: int = 1


class ActLog(Protocol):
    """Where the acts of operators become durable."""

    async def record_act(self, event: ActEvent) -> None:
        """Returns when the event cannot be lost any more; USAGE_NOT_RECORDED after a bounded wait."""
        ...

    def record_act_later(self, event: ActEvent) -> None:
        """Takes an event for which nobody waits; counts it where it is lost. Never fails."""
        ...

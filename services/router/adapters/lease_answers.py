"""Between the router's own types and what the functions of leases take and answer; pure functions."""

from collections.abc import Sequence
from typing import Any

from services.kernel.identity import Identity
from services.kernel.quota import Spending
from services.router.domain.amount import Amount
from services.router.domain.bucket import Bucket
from services.router.domain.lease import NO_REQUEST, Ending, Freed, Process, RequestPart
from services.router.domain.quota import Account, Moment, Payer, Quotas, Side, nanos_of
from services.router.domain.spending import Spent, Subject, SubjectKind, day_of

_NAMES = {SubjectKind.KEY: "key", SubjectKind.TENANT: "tenant"}
_KINDS = {name.encode(): kind for kind, name in _NAMES.items()}


def limits(quotas: Quotas) -> list[int]:
    """Returns the limits of a key and those of its tenant, in the order of the functions."""
    return [
        limit
        for quota in quotas
        for limit in (
            quota.requests_per_minute,
            quota.tokens_per_minute,
            quota.concurrency,
            quota.tokens_per_day,
            quota.tokens_per_month,
            nanos_of(quota),
        )
    ]


def sides_of(quotas: Quotas, answer: Sequence[Sequence[int]]) -> tuple[Side, ...]:
    """Returns both accounts, which the server has refilled by its clock."""
    sides = []
    for quota, levels, is_of_tenant in zip(quotas, answer, (False, True), strict=False):
        requests, tokens, in_flight, held, held_nanos, day, *spent = levels
        account = Account(
            Bucket(quota.requests_per_minute, requests, 0),
            Bucket(quota.tokens_per_minute, tokens, 0),
            Spent(day, Amount(*spent[:2]), Amount(*spent[2:]), is_day_known=True, is_month_known=True),
            is_asked=True,
            in_flight=in_flight,
            held=Amount(held, held_nanos),
        )
        sides.append(Side(account, quota, is_of_tenant))
    return tuple(sides)


def moment_of(at_milliseconds: int) -> Moment:
    """Returns a moment of the server's one clock."""
    return Moment(at_milliseconds, at_milliseconds, day_of(at_milliseconds))


def milliseconds(seconds: float) -> int:
    """Returns a length of time."""
    return round(seconds * 1000)


def named_request(request: RequestPart) -> str:
    """Returns the name of a request, empty for none."""
    return "" if request == NO_REQUEST else f"{request.request_id.hex}:{request.part}"


def named(process: Process) -> str:
    """Returns the name of a process."""
    return f"{process.replica}:{process.incarnation}"


def named_subject(subject: Subject) -> tuple[str, int]:
    """Returns the kind and the number of a subject."""
    return _NAMES[subject.kind], subject.number


def process_of(name: bytes) -> Process:
    """Returns the process that a name stands for."""
    replica, incarnation = name.split(b":")
    return Process(int(replica), int(incarnation))


def identity_of(text: bytes) -> Identity:
    """Returns the identity that a text in hexadecimal stands for."""
    return Identity(int(text[:16], 16), int(text[16:], 16))


def freed_of(answer: Sequence[Any]) -> Freed | None:
    """Returns the place that became free, or None."""
    if not answer:
        return None
    ending, tenant, key, holder = answer
    return Freed(Ending(ending.decode()), Payer(int(tenant), int(key)), identity_of(holder))


def spent_of(answer: Sequence[Any]) -> tuple[Subject, Spent]:
    """Returns who spent something, and how much."""
    kind, number, day, of_day, of_day_nanos, is_day_known, of_month, of_month_nanos, is_month_known = answer
    spent = Spent(
        day,
        Amount(of_day, of_day_nanos),
        Amount(of_month, of_month_nanos),
        is_day_known=is_day_known == 1,
        is_month_known=is_month_known == 1,
    )
    return Subject(_KINDS[kind], int(number)), spent


def spending_of(answer: Sequence[int]) -> Spending:
    """Returns what a subject spent and holds."""
    day, _, of_day, of_day_nanos, of_month, of_month_nanos, held, held_nanos = answer
    spent = Spent(day, Amount(of_day, of_day_nanos), Amount(of_month, of_month_nanos))
    return spent.told(Amount(held, held_nanos))

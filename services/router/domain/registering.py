"""Whether a replica may take its number and its address: what a living session holds is not given away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.kernel.catalog import Catalog, Model
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.replica import Registration


@dataclass(frozen=True, slots=True)
class Membership:
    """Who may be a replica: what the catalog knows, under the name of its number."""

    catalog: Catalog
    replica_name: str
    limits: RouterLimits

    def check(self, wanted: Registration, caller_names: Sequence[str] | None) -> Model:
        """Returns the model that it serves, or raises why it may not.

        `caller_names` are those of the caller's certificate, None where none is asked.
        """
        model = self.catalog.model_by_number(wanted.model)
        if model is None:
            raise ComptoirError(Reason.REQUEST_INVALID, field="registration.model")
        if self.catalog.region_by_number(wanted.region) is None:
            raise ComptoirError(Reason.REQUEST_INVALID, field="registration.region")
        name = self.replica_name.format(replica=wanted.replica)
        if caller_names is not None and name not in caller_names:
            raise ComptoirError(Reason.CALLER_NOT_ALLOWED, field="registration.replica")
        return model


@dataclass(frozen=True, slots=True)
class Session:
    """A replica that is registered, and when it was heard last."""

    registration: Registration
    reported_at_seconds: float


def check_free(
    wanted: Registration, sessions: Iterable[Session], *, now_seconds: float, silent_seconds: float
) -> None:
    """Raises ALREADY_EXISTS, with the field, if another process holds the number or the address and lives.

    A process that comes back is known by its incarnation, which nobody but it and the router knows. One
    that said nothing for `silent_seconds` has lost both.
    """
    for session in sessions:
        held, wait_seconds = session.registration, session.reported_at_seconds + silent_seconds - now_seconds
        if wait_seconds < 0 or is_same_process(held, wanted):
            continue
        if held.replica == wanted.replica:
            raise _taken("registration.replica", wait_seconds)
        if held.address == wanted.address:
            raise _taken("registration.address", wait_seconds)


def is_same_process(held: Registration, wanted: Registration) -> bool:
    """Returns whether both speak for one process of one replica; an unknown incarnation is nobody's."""
    if held.incarnation == 0:
        return False
    return (held.replica, held.incarnation) == (wanted.replica, wanted.incarnation)


def _taken(field: str, wait_seconds: float) -> ComptoirError:
    return ComptoirError(Reason.ALREADY_EXISTS, field=field, retry_after_seconds=wait_seconds)

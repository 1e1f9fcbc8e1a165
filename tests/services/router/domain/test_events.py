"""An admission event has no field that could hold text."""

import typing

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.events import AdmissionEvent


def test_an_event_holds_numbers_identities_and_a_reason_only() -> None:
    assert set(typing.get_type_hints(AdmissionEvent).values()) <= {int, Identity, Reason}

"""The event of an act has no field that could hold text."""

import typing

import pytest

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.acts import ActEvent, Caller, CallerKind, Deed, Stage, Subject


def test_an_event_holds_numbers_identities_and_enums_only() -> None:
    held = set(typing.get_type_hints(ActEvent).values()) - {Caller, Deed}
    for part in (Caller, Deed):
        held |= set(typing.get_type_hints(part).values())
    assert held <= {int, bool, Identity, Reason, Stage, CallerKind, Subject}


@pytest.mark.parametrize("subject", list(Subject))
def test_an_answer_about_tenants_or_keys_is_about_somebody(subject: Subject) -> None:
    is_somebody = subject in {Subject.TENANT, Subject.KEY}
    assert Deed(1, subject, changes=False).shows_somebody is is_somebody

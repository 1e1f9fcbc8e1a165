"""Operators see names, and numbers where the catalog lost a name; they never see a secret."""

from dataclasses import replace

import pytest
from comptoir.router.v1 import admin_pb2, router_pb2

from services.router.domain.batch_holding import HeldBy, Hold, Waits
from services.router.domain.tenancy import Key, Priority, Quota, Tenant
from services.router.wire import admin as admin_wire
from tests.fakes.router import CATALOG

TENANT = Tenant(1, "acme", 2, 3, is_disabled=True)
KEY = Key(
    4,
    TENANT,
    b"d" * 32,
    "laptop",
    frozenset({1, 2, 77}),
    Quota(**{name: 5 + index for index, name in enumerate(Quota.model_fields)}),
    8,
    9,
    10,
)


def test_a_tenant_is_shown_with_the_name_of_its_region() -> None:
    message = admin_wire.tenant(TENANT, CATALOG)
    assert (message.number, message.name, message.home_region) == (1, "acme", "eu-de")
    assert (message.created_at_seconds, message.is_disabled) == (3, True)


def test_a_region_that_the_catalog_lost_is_shown_by_number() -> None:
    assert admin_wire.tenant(Tenant(1, "acme", 9, 3), CATALOG).home_region == "9"


def test_a_key_is_shown_without_its_digest_and_never_looks_less_limited_than_it_is() -> None:
    message = admin_wire.key(KEY, CATALOG)
    assert (message.number, message.tenant, message.tenant_name, message.label) == (4, 1, "acme", "laptop")
    assert list(message.models) == ["77", "other-eu", "tiny-eu"]
    assert (message.created_at_seconds, message.expires_at_seconds, message.revoked_at_seconds) == (8, 9, 10)
    assert admin_wire.quota(message.quota) == KEY.quota
    assert b"dddd" not in message.SerializeToString()


@pytest.mark.parametrize("best", Priority)
def test_the_class_that_a_key_may_claim_comes_back_as_it_went(best: Priority) -> None:
    message = admin_wire.key(replace(KEY, best_priority=best), CATALOG)
    assert admin_wire.priority(message.best_priority) is best
    assert message.best_priority == router_pb2.Priority.Value(f"PRIORITY_{best.name}")


def test_a_key_that_is_ordered_without_a_class_may_claim_default() -> None:
    assert admin_wire.priority(router_pb2.PRIORITY_UNSPECIFIED) is Priority.DEFAULT


def test_a_hold_of_batch_is_shown_with_its_numbers_and_what_is_unknown_left_out() -> None:
    peak = admin_wire.batch_state(1, Hold(HeldBy.PEAK_WINDOW, 59.2), CATALOG)
    assert (peak.model, peak.held_by, peak.peak_left_seconds) == (
        "tiny-eu",
        admin_pb2.BATCH_HOLD_PEAK_WINDOW,
        60,
    )
    assert not peak.HasField("interactive_ttft_p95_milliseconds")
    slow = admin_wire.batch_state(9, Hold(HeldBy.FIRST_TOKENS, waits=Waits(1.5, 30)), CATALOG)
    assert (slow.model, slow.held_by) == ("9", admin_pb2.BATCH_HOLD_FIRST_TOKENS)
    assert (slow.interactive_ttft_p95_milliseconds, slow.interactive_requests) == (1_500, 30)
    names = {value.number: value.name for value in admin_pb2.BatchHold.DESCRIPTOR.values}
    for by in HeldBy:
        assert names[by].endswith(by.name if by else "UNSPECIFIED")

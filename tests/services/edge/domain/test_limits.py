"""The limits carry what a person set, unchanged, to the server; nothing changes them while it runs."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.limits import EdgeLimits
from services.edge.settings import EdgeSettings
from services.kernel.catalog import Catalog, Model, Region

CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name="tiny-eu", context_tokens=8, max_output_tokens=8),),
)
SECONDS = st.floats(min_value=0.001, max_value=3600)
WHOLE_SECONDS = st.integers(min_value=1, max_value=3600)
LIMITS = st.builds(
    EdgeLimits,
    max_body_bytes=st.integers(1024, 1024 * 1024),
    max_header_bytes=st.integers(1024, 64 * 1024),
    max_connections=st.integers(1, 1_000_000),
    header_seconds=SECONDS,
    body_seconds=SECONDS,
    idle_connection_seconds=WHOLE_SECONDS,
    first_text_seconds=SECONDS,
    request_seconds=SECONDS,
    ping_seconds=SECONDS,
    write_seconds=SECONDS,
    drain_notice_seconds=SECONDS,
    drain_seconds=WHOLE_SECONDS,
    release_seconds=SECONDS,
)


def _settings(values: dict[str, float]) -> EdgeSettings:
    # The edge lets go of the router within the time that it gives any of its calls.
    own = {("router_seconds" if name == "release_seconds" else name): value for name, value in values.items()}
    return EdgeSettings.model_validate(
        {
            "region": "eu-fr",
            "catalog": CATALOG,
            "listen": {"port": 8400},
            "router": {"address": "127.0.0.1:8401"},
            "emitter": {"address": "127.0.0.1:8403"},
            **own,
        }
    )


@given(LIMITS)
def test_what_was_set_is_what_the_server_is_told(limits: EdgeLimits) -> None:
    assert _settings(asdict(limits)).limits == limits


def test_a_request_that_uses_every_wait_but_its_last_still_fits_its_own_bound() -> None:
    limits = _settings({}).limits
    waits_seconds = limits.header_seconds + limits.body_seconds + limits.first_text_seconds
    assert waits_seconds < limits.request_seconds


def test_a_waiting_client_hears_a_ping_before_its_first_text_is_given_up() -> None:
    limits = _settings({}).limits
    assert limits.ping_seconds < limits.first_text_seconds
    assert limits.ping_seconds < limits.idle_connection_seconds


@pytest.mark.parametrize("name", [field.name for field in fields(EdgeLimits)])
def test_no_limit_changes_while_requests_run(name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(_settings({}).limits, name, 1)

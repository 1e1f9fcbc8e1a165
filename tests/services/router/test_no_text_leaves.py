"""Nothing that a caller writes shows in an error, a log line, an event or the database."""

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import structlog
from comptoir.router.v1 import admin_pb2, replica_pb2, router_pb2

from services.kernel.api_keys import make_key
from services.kernel.errors import ComptoirError, Reason
from services.runtime import logs
from tests.fakes.running_router import RunningRouter, admit, registration_message

CANARY = "canary7f3a"
WELL_FORMED = make_key("eu-fr", CANARY.encode().ljust(16, b"x"))


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What the process prints, with the logs as a process sets them up."""
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    logs.configure("router", "debug")
    yield capfd
    root.handlers, root.level, logging.raiseExceptions = before
    structlog.reset_defaults()


async def _texts_of_failure(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await asyncio.wait_for(call, 5)
    error = failure.value
    return f"{error.details()} {error.debug_error_string()} {error.trailing_metadata()}"


async def test_canaries_of_every_field_are_found_nowhere(
    running: RunningRouter, printed: pytest.CaptureFixture[str]
) -> None:
    api_key = await running.key()
    calls = [
        running.router.Admit(admit(CANARY)),
        running.router.Admit(admit(WELL_FORMED)),
        running.router.Admit(admit(CANARY * 40)),
        running.router.Admit(admit(api_key, model=CANARY)),
        running.router.Admit(admit(api_key, model=CANARY * 40)),
        running.router.Admit(admit(api_key)),
        running.router.ListModels(router_pb2.ListModelsRequest(api_key=WELL_FORMED)),
        running.admin.CreateTenant(admin_pb2.CreateTenantRequest(name=f"{CANARY} !")),
        running.admin.CreateTenant(admin_pb2.CreateTenantRequest(name="new", home_region=CANARY)),
        running.admin.CreateKey(admin_pb2.CreateKeyRequest(tenant=CANARY)),
        running.admin.CreateKey(admin_pb2.CreateKeyRequest(tenant="acme", models=[CANARY])),
        running.admin.ListKeys(admin_pb2.ListKeysRequest(tenant=CANARY)),
    ]
    failures = [await _texts_of_failure(call) for call in calls]
    events = [repr(event) for event in running.log.events]
    folder = running.settings.pepper_file.parent
    stored = [(folder / name).read_bytes() for name in ("router.sqlite", "router.sqlite-wal")]
    out, err = printed.readouterr()
    assert "REQUEST_INVALID" in err
    for found in (*failures, *events, out, err):
        for canary in (CANARY, WELL_FORMED, WELL_FORMED[-28:], api_key, api_key[-28:]):
            assert canary not in found
    for content in stored:
        assert CANARY.encode() not in content
        assert api_key[-28:].encode() not in content


async def test_how_a_prompt_begins_is_in_memory_alone(
    running: RunningRouter, printed: pytest.CaptureFixture[str]
) -> None:
    api_key = await running.key()
    digests = [0x7F3A_0000_CAFE_0000 + number for number in range(16)]
    async with running.replica(), running.replica(replica=8, address="127.0.0.1:8403"):
        answers = []
        for _ in range(2):
            request = admit(api_key, prompt_tokens_upper_bound=900, prefix_digests=digests)
            answers.append(await running.router.Admit(request))
            # Long enough for the first one's prompt.
            running.clock.advance(1.0)
        refusals = [
            await _texts_of_failure(running.router.Admit(admit(key, model=model, prefix_digests=digests)))
            for key, model in ((WELL_FORMED, "tiny-eu"), (api_key, "unknown"))
        ]
    # It was used: the second one went where the first had gone.
    assert len({answer.offer.generator_address for answer in answers}) == 1
    folder = running.settings.pepper_file.parent
    stored = [(folder / name).read_bytes() for name in ("router.sqlite", "router.sqlite-wal")]
    stored += [answer.SerializeToString() for answer in answers]
    events = [repr(event) for event in running.log.events]
    assert len(events) == 4
    for found in (*events, *refusals, *printed.readouterr()):
        for digest in digests:
            assert not {str(digest), f"{digest:x}", f"{digest:X}"} & {*re.findall("[0-9A-Fa-f]+", found)}
    for content in stored:
        for digest in digests:
            written = (str(digest).encode(), f"{digest:x}".encode())
            assert not any(
                one in content for one in (*written, digest.to_bytes(8), digest.to_bytes(8, "little"))
            )


async def test_an_unexpected_failure_shows_its_type_and_nothing_else(
    running: RunningRouter, printed: pytest.CaptureFixture[str]
) -> None:
    api_key = await running.key()
    running.log.failure = RuntimeError(CANARY)
    async with running.replica():
        text = await _texts_of_failure(running.router.Admit(admit(api_key)))
    assert "internal error: RuntimeError" in text
    assert CANARY not in text + printed.readouterr().err


async def test_an_address_that_cannot_be_registered_is_not_repeated(running: RunningRouter) -> None:
    async with running.replica(address=CANARY):
        call = running.replicas.Report()
        registration = registration_message(replica=8, address=CANARY)
        await call.write(replica_pb2.ReportRequest(registration=registration))
        assert CANARY not in await _texts_of_failure(call.read())


def test_the_refusals_text_is_its_reason() -> None:
    assert str(ComptoirError(Reason.KEY_INVALID, field="api_key")) == "KEY_INVALID"

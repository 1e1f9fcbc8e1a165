"""The watch shows as metrics what holds batch back, and looks again and again."""

import asyncio
from dataclasses import replace

import pytest

from services.contract.first_tokens import FirstTokens, bucket_of
from services.router.adapters import batch_watch
from services.router.adapters.batch_watch import watch_batch
from services.router.domain.batch_holding import BatchRules
from tests.contracts.engine_requests import until
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits
from tests.services.runtime.metrics.collecting import collected

SLOW = replace(IDLE, first_tokens=FirstTokens(interactive=(0,) * bucket_of(3.0) + (40,)))


async def test_a_hold_is_shown_by_model_with_what_interactive_requests_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_watch, "_INTERVAL_SECONDS", 0.01)
    world = AdmissionWorld(limits=changed_limits(batch=BatchRules(interactive_ttft_p95_seconds=1.0)))
    session = world.add_replica(load=SLOW)
    names = {1: "tiny-eu", 2: "other-eu"}
    held, ttft = "comptoir.router.batch_held_back", "comptoir.router.interactive_ttft"
    with collected() as shown:
        watching = asyncio.create_task(watch_batch(world.batch, world.leases.places, names))
        await until(lambda: shown.value(held, gen_ai__request__model="tiny-eu") == 2, 5)
        # As an exporter reads it, which has a thread of its own.
        waited = await asyncio.to_thread(shown.value, ttft, gen_ai__request__model="tiny-eu")
        assert waited is not None
        assert 3.0 <= waited < 3.6
        assert shown.value(held, gen_ai__request__model="other-eu") == 0
        assert shown.value(ttft, gen_ai__request__model="other-eu") == 0
        world.clock.advance(1)
        world.replicas.report(session, IDLE, world.clock.monotonic_seconds())
        await until(lambda: shown.value(held, gen_ai__request__model="tiny-eu") == 0, 5)
        watching.cancel()
        await asyncio.wait({watching})

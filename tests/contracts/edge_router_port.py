"""What every Router of the edge does, in memory or over gRPC."""

import asyncio

import pytest

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.model import Model, Retirement
from services.edge.domain.ports import Router
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.scripts import GOOD_KEY, LEASE, RouterScript

CHAT = GenerationRequest("tiny-eu", (Message(Role.USER, "é" * 10),), max_output_tokens=5)
REQUEST = Identity(3, 4)


class RouterPortContract:
    """Inherit it with fixtures `script` and `router` that follows the script."""

    async def test_an_admission_has_offers_in_order(self, router: Router, script: RouterScript) -> None:
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert [offer.generator_address for offer in admission.offers] == script.addresses
        assert [offer.claims for offer in admission.offers] == [b"1", b"2"]
        assert admission.lease == LEASE
        assert admission.quota == script.quota
        assert (admission.model_number, admission.tenant_number, admission.key_number) == (1, 2, 3)
        assert (admission.model_name, admission.retirement) == ("", None)
        assert script.upper_bounds == [20 + 16 + 64]
        assert script.request_ids == [REQUEST]
        assert script.keys == [GOOD_KEY]

    async def test_a_refusal_keeps_its_reason(self, router: Router, script: RouterScript) -> None:
        script.refusal = ComptoirError(Reason.TOKENS_EXHAUSTED, field="model", retry_after_seconds=1.5)
        with pytest.raises(ComptoirError) as raised:
            await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert raised.value.reason is Reason.TOKENS_EXHAUSTED
        assert raised.value.field == "model"
        assert raised.value.retry_after_seconds == 1.5
        with pytest.raises(ComptoirError):
            await router.list_models(key=GOOD_KEY, request_id=REQUEST)

    async def test_offers_come_before_their_admission_is_durable(
        self, router: Router, script: RouterScript
    ) -> None:
        script.record_gate = asyncio.Event()
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        recorded = asyncio.ensure_future(admission.recorded())
        await asyncio.sleep(0.05)
        assert not recorded.done()
        script.record_gate.set()
        await asyncio.wait_for(recorded, 5)

    async def test_an_admission_that_is_not_durable_says_why(
        self, router: Router, script: RouterScript
    ) -> None:
        script.record_refusal = ComptoirError(Reason.SPOOL_FULL)
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        with pytest.raises(ComptoirError) as raised:
            await asyncio.wait_for(admission.recorded(), 5)
        assert raised.value.reason is Reason.SPOOL_FULL

    async def test_a_lease_is_given_back(self, router: Router, script: RouterScript) -> None:
        await router.release(LEASE)
        assert script.released == [LEASE]
        script.release_refusal = ComptoirError(Reason.UNAVAILABLE)
        with pytest.raises(ComptoirError):
            await router.release(LEASE)

    async def test_an_admission_says_which_model_answers_and_that_its_name_is_retired(
        self, router: Router, script: RouterScript
    ) -> None:
        script.model_name, script.retirement = "tiny-eu", Retirement(1_780_000_000, 1_800_000_000)
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert (admission.model_name, admission.retirement) == ("tiny-eu", script.retirement)

    async def test_models_are_listed(self, router: Router, script: RouterScript) -> None:
        script.models += (Model("old", "tiny-eu", 1_790_000_001, 4096, 1024, Retirement(1_780_000_000)),)
        assert await router.list_models(key=GOOD_KEY, request_id=REQUEST) == script.models

    async def test_a_router_that_serves_is_no_reason_not_to(self, router: Router) -> None:
        assert await router.not_ready_reason() is None

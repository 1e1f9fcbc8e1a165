"""What every Router of the edge does, in memory or over gRPC."""

import asyncio

import pytest

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.ports import Model, Retirement, Router
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.scripts import GOOD_KEY, LEASE, RouterScript, record_of

CHAT = GenerationRequest("tiny-eu", (Message(Role.USER, "é" * 10),), max_output_tokens=5)
REQUEST = Identity(3, 4)


class RouterPortContract:
    """Inherit it with fixtures `script` and `router` that follows the script."""

    async def test_an_admission_has_an_offer(self, router: Router, script: RouterScript) -> None:
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert (admission.offer.generator_address, admission.offer.claims) == (script.addresses[0], b"1")
        assert admission.lease == LEASE
        assert admission.quota == script.quota
        assert (admission.model_number, admission.tenant_number, admission.key_number) == (1, 2, 3)
        assert admission.home_region == 4
        assert (admission.model_name, admission.retirement) == ("", None)
        assert script.upper_bounds == [20 + 16 + 64]
        assert script.request_ids == [REQUEST]
        assert script.keys == [GOOD_KEY]

    async def test_every_question_of_a_key_says_where_it_came_from(
        self, router: Router, script: RouterScript
    ) -> None:
        await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5, source=2**64 - 1)
        await router.admit_count(key=GOOD_KEY, request=CHAT, request_id=REQUEST, source=6)
        await router.list_models(key=GOOD_KEY, request_id=REQUEST, source=7)
        assert script.sources == [2**64 - 1, 6, 7]

    async def test_another_offer_is_asked_for_with_the_key_and_the_lease(
        self, router: Router, script: RouterScript
    ) -> None:
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        offer = await admission.next_offer()
        assert (offer.generator_address, offer.claims) == (script.addresses[1], b"2")
        assert [one.transfer_record for one in (admission.offer, offer)] == [record_of(1), record_of(2)]
        assert script.asked_on == [(GOOD_KEY, LEASE)]
        with pytest.raises(ComptoirError) as raised:
            await admission.next_offer()
        assert raised.value.reason is Reason.NO_REPLICA

    async def test_one_whose_replica_says_nothing_says_so_to_a_router_that_knows_what_that_means(
        self, router: Router, script: RouterScript
    ) -> None:
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert admission.hedge is not None
        assert (await admission.hedge()).claims == b"2"
        assert (script.asked_on, script.hedges) == ([(GOOD_KEY, LEASE)], 1)
        script.may_hedge = False
        older = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert older.hedge is None

    async def test_many_ask_for_another_offer_at_once_and_one_gives_up(
        self, router: Router, script: RouterScript
    ) -> None:
        script.addresses *= 5
        script.next_gate = asyncio.Event()
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        asking = [asyncio.ensure_future(admission.next_offer()) for _ in range(4)]
        await asyncio.wait_for(script.has_asked_on.wait(), 5)
        asking[0].cancel()
        await asyncio.wait([asking[0]])
        script.next_gate.set()
        offers = await asyncio.wait_for(asyncio.gather(*asking[1:]), 5)
        assert len({offer.claims for offer in offers}) == 3

    async def test_a_refusal_keeps_its_reason(self, router: Router, script: RouterScript) -> None:
        script.refusal = ComptoirError(Reason.TOKENS_EXHAUSTED, field="model", retry_after_seconds=1.5)
        script.refusal.transfer_record, script.refusal.home_region = 7, 4
        with pytest.raises(ComptoirError) as raised:
            await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert raised.value.reason is Reason.TOKENS_EXHAUSTED
        assert raised.value.field == "model"
        assert (raised.value.transfer_record, raised.value.home_region) == (7, 4)
        assert raised.value.retry_after_seconds == 1.5
        with pytest.raises(ComptoirError):
            await router.list_models(key=GOOD_KEY, request_id=REQUEST)

    async def test_an_offer_comes_before_its_admission_is_durable(
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
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        await admission.release()
        assert script.released == [LEASE]
        script.release_refusal = ComptoirError(Reason.UNAVAILABLE)
        with pytest.raises(ComptoirError):
            await admission.release()

    async def test_an_admission_says_which_model_answers_and_that_its_name_is_retired(
        self, router: Router, script: RouterScript
    ) -> None:
        script.model_name, script.retirement = "tiny-eu", Retirement(1_780_000_000, 1_800_000_000)
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
        assert (admission.model_name, admission.retirement) == ("tiny-eu", script.retirement)

    async def test_a_count_has_an_offer_and_no_lease(self, router: Router, script: RouterScript) -> None:
        script.model_name, script.retirement = "tiny-eu", Retirement(1_780_000_000)
        admission = await router.admit_count(key=GOOD_KEY, request=CHAT, request_id=REQUEST)
        assert (admission.offer.generator_address, admission.offer.claims) == (script.addresses[0], b"1")
        assert admission.quota == script.quota
        assert (admission.model_number, admission.tenant_number, admission.key_number) == (1, 2, 3)
        assert admission.home_region == 4
        assert (admission.model_name, admission.retirement) == ("tiny-eu", script.retirement)
        assert (script.upper_bounds, script.request_ids, script.keys) == ([100], [REQUEST], [GOOD_KEY])
        script.refusal = ComptoirError(Reason.REQUESTS_EXHAUSTED, retry_after_seconds=1.5)
        with pytest.raises(ComptoirError) as raised:
            await router.admit_count(key=GOOD_KEY, request=CHAT, request_id=REQUEST)
        assert raised.value.reason is Reason.REQUESTS_EXHAUSTED

    async def test_models_are_listed(self, router: Router, script: RouterScript) -> None:
        script.models += (Model("old", "tiny-eu", 1_790_000_001, 4096, 1024, Retirement(1_780_000_000)),)
        assert await router.list_models(key=GOOD_KEY, request_id=REQUEST) == script.models

    async def test_a_router_that_serves_is_no_reason_not_to(self, router: Router) -> None:
        assert await router.not_ready_reason() is None

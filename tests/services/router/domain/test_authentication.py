"""A key is found by its whole digest only, and junk never reaches the store."""

from collections import Counter
from dataclasses import replace

import pytest

from services.kernel.api_keys import make_key
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.cached_keys import CachedKeys
from services.router.domain.authentication import Authenticator
from services.router.domain.keys import digest_of
from services.router.domain.residency import Residency
from services.router.domain.tenancy import Key, KeyChange
from services.router.domain.wrong_keys import WrongKeyLimits, WrongKeys
from tests.contracts.key_store import store_key
from tests.fakes.permits import MemoryPermits
from tests.fakes.router import CATALOG, FRANCE, GERMANY, PEPPER, AdmissionWorld, MemoryKeys

RESIDENCY = Residency(CATALOG, FRANCE, MemoryPermits())


def authenticator(finder: MemoryKeys) -> Authenticator:
    wrong_keys = WrongKeys(WrongKeyLimits(), ManualClock())
    return Authenticator(finder, wrong_keys, pepper=PEPPER, residency=RESIDENCY)


async def test_a_stored_key_is_found() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    assert (await authenticator(world.keys).find(api_key)).digest == digest_of(api_key, PEPPER)


async def test_a_mistyped_key_is_refused_without_a_look_up() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    with pytest.raises(ComptoirError) as refusal:
        await authenticator(world.keys).find(api_key[:-1] + ("0" if api_key[-1] != "0" else "1"))
    assert refusal.value.reason is Reason.KEY_INVALID
    assert world.keys.finds == 0


async def test_a_store_that_answers_with_another_key_is_not_believed() -> None:
    world = AdmissionWorld()
    api_key = await world.key()

    class Confused(MemoryKeys):
        async def find(self, digest: bytes) -> Key | None:
            found = await world.keys.find(digest)
            return replace(found, digest=bytes(32)) if found else None

    with pytest.raises(ComptoirError) as refusal:
        await authenticator(Confused()).find(api_key)
    assert refusal.value.reason is Reason.KEY_INVALID


async def refusal_after(change: KeyChange) -> Reason:
    """Why a key is refused once it was changed."""
    world = AdmissionWorld()
    api_key = await world.key()
    found = await authenticator(world.keys).find(api_key)
    await world.keys.change_key(found.number, change)
    changed = await authenticator(world.keys).find(api_key)
    with pytest.raises(ComptoirError) as refusal:
        authenticator(world.keys).check(changed, 999)
    return refusal.value.reason


async def test_a_disabled_key_is_refused_as_that() -> None:
    assert await refusal_after(KeyChange(is_disabled=True)) is Reason.KEY_DISABLED


async def test_a_key_of_other_regions_is_not_served_here() -> None:
    assert await refusal_after(KeyChange(regions={GERMANY.number})) is Reason.REGION_NOT_ALLOWED


async def test_after_a_rotation_the_old_secret_is_taken_until_its_overlap_is_over() -> None:
    world = AdmissionWorld()
    old = await world.key()
    new = make_key("eu-fr", b"n" * 16)
    number = (await authenticator(world.keys).find(old)).number
    await world.keys.rotate_key(number, digest_of(new, PEPPER), 1_000)
    for api_key, now_seconds in ((old, 999.9), (new, 999.9), (new, 1_000)):
        key = await authenticator(world.keys).find(api_key)
        assert key.number == number
        authenticator(world.keys).check(key, now_seconds)
    with pytest.raises(ComptoirError) as refusal:
        authenticator(world.keys).check(await authenticator(world.keys).find(old), 1_000)
    assert refusal.value.reason is Reason.KEY_EXPIRED


async def test_a_key_ends_at_its_expiry() -> None:
    world = AdmissionWorld()
    api_key = await world.key(expires_at_seconds=1_000)
    key = await authenticator(world.keys).find(api_key)
    authenticator(world.keys).check(key, 999.9)
    with pytest.raises(ComptoirError) as refusal:
        authenticator(world.keys).check(key, 1_000)
    assert refusal.value.reason is Reason.KEY_EXPIRED


def wrong_key(number: int) -> str:
    """A key of the right form that nobody has."""
    return make_key("eu-fr", (1_000_000 + number).to_bytes(16))


async def reason_of(checked: Authenticator, api_key: str, source: int) -> Reason:
    """Why a key is not found."""
    try:
        await checked.find(api_key, source)
    except ComptoirError as refusal:
        return refusal.reason
    return Reason.UNSPECIFIED


async def test_ten_thousand_wrong_keys_cost_no_more_look_ups_than_their_source_may() -> None:
    world = AdmissionWorld()
    known, never_seen, new = await world.key(), await world.key(), make_key("eu-fr", b"n" * 16)
    cached = CachedKeys(world.keys, world.clock)
    await cached.learn()
    wrong_keys = WrongKeys(WrongKeyLimits(per_client_per_minute=60), world.clock)
    checked = Authenticator(cached, wrong_keys, pepper=PEPPER, residency=RESIDENCY)
    await checked.find(known, source=5)
    await store_key(world.keys, digest=digest_of(new, PEPPER))
    before = world.keys.finds
    reasons = Counter([await reason_of(checked, wrong_key(number), 5) for number in range(10_000)])
    assert world.keys.finds - before == 60
    assert reasons == {Reason.KEY_INVALID: 60, Reason.TOO_MANY_WRONG_KEYS: 9_940}
    assert await reason_of(checked, new, 5) is Reason.TOO_MANY_WRONG_KEYS
    # Who shares the address is served by a right key, looked up anew or not.
    for api_key in (known, never_seen, known):
        assert await reason_of(checked, api_key, 5) is Reason.UNSPECIFIED
        world.clock.advance(0.4)
    # Who has another address is served, though nobody has told the router of the key yet.
    assert await reason_of(checked, new, 6) is Reason.UNSPECIFIED


async def test_a_wrong_key_that_comes_again_is_not_looked_up_again_at_once() -> None:
    world = AdmissionWorld()
    cached = CachedKeys(world.keys, world.clock)
    wrong_keys = WrongKeys(WrongKeyLimits(), world.clock)
    checked = Authenticator(cached, wrong_keys, pepper=PEPPER, residency=RESIDENCY)
    for _ in range(20):
        assert await reason_of(checked, wrong_key(1), 0) is Reason.KEY_INVALID
    assert world.keys.finds == 1


async def test_right_keys_that_are_seen_for_the_first_time_count_for_nobody() -> None:
    world = AdmissionWorld()
    checked = authenticator(world.keys)
    for _ in range(100):
        await checked.find(await world.key(), source=5)
    assert await reason_of(checked, wrong_key(1), 5) is Reason.KEY_INVALID


async def test_a_store_that_is_away_makes_no_right_key_a_wrong_one() -> None:
    class Away(MemoryKeys):
        async def find(self, digest: bytes) -> Key | None:
            raise ComptoirError(Reason.UNAVAILABLE)

    checked = authenticator(Away())
    for number in range(100):
        assert await reason_of(checked, wrong_key(number), 5) is Reason.UNAVAILABLE

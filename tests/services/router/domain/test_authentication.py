"""A key is found by its whole digest only, and junk never reaches the store."""

from dataclasses import replace

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.authentication import Authenticator
from services.router.domain.keys import digest_of
from services.router.domain.tenancy import Key
from tests.fakes.router import FRANCE, PEPPER, AdmissionWorld, MemoryKeys


def authenticator(finder: MemoryKeys) -> Authenticator:
    return Authenticator(finder, pepper=PEPPER, region=FRANCE)


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


async def test_a_key_ends_at_its_expiry() -> None:
    world = AdmissionWorld()
    api_key = await world.key(expires_at_seconds=1_000)
    key = await authenticator(world.keys).find(api_key)
    authenticator(world.keys).check(api_key, key, 999.9)
    with pytest.raises(ComptoirError) as refusal:
        authenticator(world.keys).check(api_key, key, 1_000)
    assert refusal.value.reason is Reason.KEY_EXPIRED

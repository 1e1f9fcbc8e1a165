from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.cache_salt import cache_salt

SECRET = bytes(32)


@given(tenants=st.lists(st.integers(1, 2**32 - 1), min_size=2, max_size=20, unique=True))
def test_every_tenant_has_its_own_salt(tenants: list[int]) -> None:
    assert len({cache_salt(SECRET, tenant) for tenant in tenants}) == len(tenants)


def test_a_salt_is_stable_and_depends_on_the_secret() -> None:
    assert cache_salt(SECRET, 5) == cache_salt(SECRET, 5)
    assert cache_salt(SECRET, 5) != cache_salt(b"x" * 32, 5)
    assert len(cache_salt(SECRET, 5)) == 64

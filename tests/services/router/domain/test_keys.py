"""What is stored of a key."""

from services.kernel.api_keys import make_key
from services.router.domain.keys import digest_of

PEPPER = b"p" * 32


def test_the_digest_depends_on_the_whole_key_and_on_the_pepper() -> None:
    one, other = make_key("eu-fr", bytes(16)), make_key("eu-fr", b"x" * 16)
    digests = {digest_of(one, PEPPER), digest_of(other, PEPPER), digest_of(one, b"q" * 32)}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}

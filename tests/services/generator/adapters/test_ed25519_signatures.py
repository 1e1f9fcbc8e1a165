from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.runtime.settings import SettingsError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNATURES = Ed25519Signatures({2: KEY.public_key()})
CLAIMS = b"some claims"
SIGNATURE = KEY.sign(b"comptoir-ticket-v1\0" + CLAIMS)


def test_only_the_key_of_that_number_counts() -> None:
    assert SIGNATURES.is_valid(CLAIMS, SIGNATURE, 2)
    assert not SIGNATURES.is_valid(CLAIMS, SIGNATURE, 1)


def test_a_signature_for_another_purpose_does_not_count() -> None:
    assert not SIGNATURES.is_valid(CLAIMS, KEY.sign(CLAIMS), 2)


@given(claims=st.binary(max_size=100), signature=st.binary(min_size=64, max_size=64))
def test_what_nobody_signed_is_never_valid(claims: bytes, signature: bytes) -> None:
    assert not SIGNATURES.is_valid(claims, signature, 2)


@given(bit=st.integers(0, len(CLAIMS) * 8 - 1))
def test_one_flipped_bit_breaks_the_signature(bit: int) -> None:
    changed = bytearray(CLAIMS)
    changed[bit // 8] ^= 1 << bit % 8
    assert not SIGNATURES.is_valid(bytes(changed), SIGNATURE, 2)


def test_keys_come_from_files_of_hexadecimal_digits(tmp_path: Path) -> None:
    good, bad = tmp_path / "ticket-2.pub", tmp_path / "bad.pub"
    good.write_text(KEY.public_key().public_bytes_raw().hex() + "\n")
    bad.write_text("not hexadecimal")
    assert Ed25519Signatures.from_files({2: good}).is_valid(CLAIMS, SIGNATURE, 2)
    with pytest.raises(SettingsError, match=r"bad\.pub"):
        Ed25519Signatures.from_files({2: bad})

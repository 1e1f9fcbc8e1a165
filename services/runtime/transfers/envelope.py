"""DSSE envelopes, signed with Ed25519 by several people: what in-toto and cosign write and verify too."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# A record has a few hundred bytes, and two signatures.
MAX_BYTES: Final = 64 * 1024
_MAX_SIGNATURES: Final = 16


class EnvelopeError(Exception):
    """What should be an envelope is none; the text is one of this module's."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, what it is, and the signatures over both, each with the name that its signer gave."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Returns the envelope that a file holds; raises EnvelopeError."""
        if len(content) > MAX_BYTES:
            raise EnvelopeError("larger than an envelope may be")
        try:
            return cls._from_document(json.loads(content))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError, binascii.Error):
            raise EnvelopeError("no DSSE envelope") from None

    @classmethod
    def _from_document(cls, document: Any) -> Self:
        signatures = document["signatures"]
        if not isinstance(signatures, list) or len(signatures) > _MAX_SIGNATURES:
            raise EnvelopeError("more signatures than an envelope may have")
        payload_type = document["payloadType"]
        if not isinstance(payload_type, str):
            raise EnvelopeError("no payload type")
        return cls(
            payload_type,
            _decoded(document["payload"]),
            tuple((str(each.get("keyid", "")), _decoded(each["sig"])) for each in signatures),
        )

    def to_json(self) -> bytes:
        """Returns the content of its file."""
        signatures = [{"keyid": name, "sig": _encoded(signature)} for name, signature in self.signatures]
        document = {
            "payloadType": self.payload_type,
            "payload": _encoded(self.payload),
            "signatures": signatures,
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    def signed(self, name: str, key: Ed25519PrivateKey) -> Self:
        """Returns the envelope with one signature more."""
        return replace(self, signatures=(*self.signatures, (name, key.sign(self._signed_content()))))

    def signers(self, people: Mapping[str, Ed25519PublicKey]) -> dict[str, bytes]:
        """Returns those whose signature is good, with their raw public keys.

        Whom a signature names is not believed: it is tried with the key of each.
        """
        found = {}
        for name, key in people.items():
            if any(self._is_of(key, signature) for _, signature in self.signatures):
                found[name] = key.public_bytes_raw()
        return found

    def _is_of(self, key: Ed25519PublicKey, signature: bytes) -> bool:
        try:
            key.verify(signature, self._signed_content())
        except InvalidSignature:
            return False
        return True

    def _signed_content(self) -> bytes:
        # DSSE's "pre-authentication encoding": a payload of one type cannot stand for one of another.
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

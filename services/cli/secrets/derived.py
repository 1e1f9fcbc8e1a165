"""Files whose content follows from a secret: servers' sides of passwords, and a public key; pure."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.cli.secrets import layout

# By file, the secret that it follows from.
SOURCES: Final = {
    **{name: follows.source for name, follows in layout.FOLLOWING.items()},
    layout.PUBLIC_KEY: layout.SIGNING_KEY,
}


def derived(name: str, secret: str) -> bytes:
    """Returns what a file of SOURCES has to hold where its source holds that secret."""
    if name == layout.PUBLIC_KEY:
        seed = bytes.fromhex(secret)
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        return f"{public.hex()}\n".encode()
    return f"{layout.FOLLOWING[name].content(secret)}\n".encode()

"""Who asks: the writer, who knows a password, or a reader, any other process on this machine."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy.local.clickhouse.domain.errors import AUTHENTICATION_FAILED, StoreError

READER_NAME: Final = "default"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as a client gave them."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Writer:
    """The one user that may write."""

    name: str
    password: str = field(repr=False)


def credentials_of(headers: Mapping[str, str], query: Mapping[str, str]) -> Credentials:
    """Returns a request's credentials: ClickHouse's headers, else Basic, else the URL, else the reader's."""
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return Credentials(
            headers.get("x-clickhouse-user") or READER_NAME, headers.get("x-clickhouse-key", "")
        )
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _basic(value)
    if scheme:
        raise _failed()
    return Credentials(query.get("user") or READER_NAME, query.get("password", ""))


def is_writer(given: Credentials, writer: Writer) -> bool:
    """Returns True for the writer, False for a reader; raises StoreError 516 for a name that is neither."""
    has_name = hmac.compare_digest(given.user.encode(), writer.name.encode())
    has_password = hmac.compare_digest(given.password.encode(), writer.password.encode())
    if has_name and has_password:
        return True
    if given.user == READER_NAME:
        # It has none, so any is right, as for a server's user with `no_password`: JDBC sends "null".
        return False
    raise _failed()


def _basic(value: str) -> Credentials:
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _failed() from None
    if not colon:
        raise _failed()
    return Credentials(user or READER_NAME, password)


def _failed() -> StoreError:
    # The same words for a wrong name and a wrong password, and neither repeated.
    return StoreError.refused(
        AUTHENTICATION_FAILED,
        "Authentication failed: password is incorrect, or there is no user with such name.",
    )

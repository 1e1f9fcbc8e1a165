"""Shakes hands with a router before it is asked anything: gRPC tries again, and never says why it cannot."""

import asyncio
import socket
import ssl
from typing import Final

from deploy.local.stack.errors import StackError
from services.runtime.addresses import GrpcTarget, TlsFiles, split_address
from services.runtime.settings_error import SettingsError

_SECONDS: Final = 5.0
# OpenSSL's numbers: the certificate is one of the authority, for another name or address.
_OTHER_NAME: Final = frozenset({62, 64})


async def check_handshake(target: GrpcTarget) -> None:
    """Returns where a router takes the certificate and shows a good one; StackError with why it does not."""
    if target.tls is None:
        return
    host, port = split_address(target.address)
    try:
        context = target.tls.ssl_context()
    except SettingsError as error:
        said = str(error).removesuffix(".")
        raise StackError(f"{said}; --ca, --certificate and --key name them.") from None
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(_SECONDS):
            await _hear_first_byte(host, port, context)
    except (OSError, TimeoutError) as error:
        raise StackError(_sentence(error, target.address, target.tls)) from None


async def _hear_first_byte(host: str, port: int, context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        # Since TLS 1.3 a caller is done before the other side has looked at its certificate: only what comes
        # then says whether it was taken. A server of HTTP/2 speaks first.
        if not await reader.read(1):
            raise ConnectionResetError
    finally:
        writer.transport.abort()


def _sentence(error: OSError | TimeoutError, address: str, tls: TlsFiles) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_believed(error, address)
    if isinstance(error, ssl.SSLError) and "ALERT" not in (error.reason or ""):
        return f"There is no TLS at {address}; is it the port of router.admin_listen?"
    if isinstance(error, ssl.SSLError | ConnectionResetError):
        return (
            f"What listens at {address} did not take the certificate in {tls.certificate_file.name}: show "
            "one that the authority in router.admin_listen.tls signed and that has not expired."
        )
    if isinstance(error, socket.gaierror):
        return f"There is no host of the name in {address}."
    what = f"answered within {_SECONDS:.0f} s" if isinstance(error, TimeoutError) else "listens"
    return f"Nothing {what} at {address}; is it the port of router.admin_listen?"


def _not_believed(error: ssl.SSLCertVerificationError, address: str) -> str:
    if error.verify_code in _OTHER_NAME:
        return f"The certificate at {address} is for another name; give --admin the name that it is for."
    return (
        f"The certificate at {address} is not believed: {error.verify_message}; --ca must be the authority "
        "that signed it."
    )

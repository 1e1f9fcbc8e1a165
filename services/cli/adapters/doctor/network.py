"""Reaches an address as the processes would: a connection, and TLS with the files that the settings name."""

import asyncio
import socket
import ssl
import time
from typing import Final

from cryptography import x509

from services.cli.adapters.doctor.certificates import described
from services.cli.doctor.facts import Certificate, Reach, Trouble
from services.cli.doctor.places import Place, Speaks, Tls
from services.runtime.addresses import split_address

SECONDS: Final = 5.0
# OpenSSL's numbers: the certificate is one of the authority, for another name or address.
_OTHER_NAME: Final = frozenset({62, 64})


async def reach(place: Place) -> Reach:
    """Returns what became of one connection, which is closed again without a word."""
    started = time.monotonic()
    shown = None
    try:
        async with asyncio.timeout(SECONDS):
            if place.address.startswith("unix:"):
                _, writer = await asyncio.open_unix_connection(place.address.removeprefix("unix:"))
                writer.transport.abort()
            else:
                shown = await _connect(place)
    except (OSError, TimeoutError, ValueError) as error:
        return Reach(place, _trouble(error))
    return Reach(place, seconds=time.monotonic() - started, shown=shown)


def context_of(tls: Tls, *, is_own: bool) -> ssl.SSLContext:
    """Returns what a caller with these files believes and shows; ssl.SSLError or OSError where it cannot."""
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if is_own:
        # What listens here is reached by an address of this machine, which its certificate need not name.
        context.check_hostname = False
    if is_own and not tls.ca_file:
        # Such as an edge, whose certificate its clients judge: all that is to be seen here is when it ends.
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate_file and tls.private_key_file:
        # Without a password, OpenSSL would ask for an encrypted key's on the terminal, and wait.
        context.load_cert_chain(tls.certificate_file, tls.private_key_file, password="")
    return context


async def _connect(place: Place) -> Certificate | None:
    host, port = split_address(place.address)
    if place.tls is None:
        _, writer = await asyncio.open_connection(host, port)
        writer.transport.abort()
        return None
    try:
        context = context_of(place.tls, is_own=place.is_own)
    except OSError:
        raise _FilesUnusableError from None
    is_http2 = place.speaks in {Speaks.GRPC, Speaks.OTLP}
    if is_http2:
        context.set_alpn_protocols(["h2"])
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except ConnectionResetError:
        # What speaks no TLS takes its first bytes for nonsense, and often hangs up.
        raise _NoTlsError from None
    try:
        if place.speaks is Speaks.GRPC and not await reader.read(1):
            # Since TLS 1.3 only what comes after the handshake says whether our certificate was taken, and
            # gRPC's servers speak first.
            raise ConnectionResetError
        binary = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return None if binary is None else described(x509.load_der_x509_certificate(binary))
    finally:
        writer.transport.abort()


class _FilesUnusableError(OSError):
    """The files that were named are of no use."""


class _NoTlsError(OSError):
    """What listens there speaks something else."""


_BY_TYPE: Final[tuple[tuple[type[Exception], Trouble], ...]] = (
    (_FilesUnusableError, Trouble.FILES_UNUSABLE),
    (_NoTlsError, Trouble.NO_TLS),
    (TimeoutError, Trouble.NO_ANSWER),
    (socket.gaierror, Trouble.NO_HOST),
    (PermissionError, Trouble.NOT_ALLOWED),
    (ConnectionResetError, Trouble.CERTIFICATE_REFUSED),
    (ValueError, Trouble.NO_ADDRESS),
)


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble.OTHER_NAME if error.verify_code in _OTHER_NAME else Trouble.NOT_BELIEVED
    if isinstance(error, ssl.SSLError):
        return Trouble.CERTIFICATE_REFUSED if "ALERT" in (error.reason or "") else Trouble.NO_TLS
    known = (trouble for kind, trouble in _BY_TYPE if isinstance(error, kind))
    return next(known, Trouble.NOTHING_LISTENS)

"""Says what is missing, open to others or about to end in a folder of secrets; changes nothing."""

from collections.abc import Iterator

from services.cli.secrets import certificates, layout
from services.cli.secrets.certificates import NoKeyError
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.making import read_names

_DAY_SECONDS = 86_400


def problems(files: SecretFiles, now_seconds: float, below_seconds: float) -> Iterator[str]:
    """Yields a sentence for each, with what to do and without any content."""
    if files.read(layout.NAMES) is None:
        yield "That is no folder of secrets: `comptoir secrets init` makes one."
        return
    if files.is_open_to_others():
        yield "Others may enter the folder: `chmod 700` it; if they may have read it, make a new one."
    for name in (*layout.RANDOM, *layout.FOLLOWING, layout.PUBLIC_KEY):
        content = files.read(name)
        if content is None:
            yield f"{name} is missing: `comptoir secrets init` makes it."
        elif name in layout.RANDOM and not layout.is_hex_secret(content.decode("ascii", "replace")):
            yield f"{name} does not hold 32 bytes as hex: put it back from your backup."
    yield from _of_certificates(files, now_seconds, below_seconds)


def _of_certificates(files: SecretFiles, now_seconds: float, below_seconds: float) -> Iterator[str]:
    authority = files.read(layout.CA_CERTIFICATE)
    if authority is None:
        yield "ca.crt is missing: put it back from your backup."
        return
    if files.read(layout.CA_KEY) is None:
        yield "authority/ca.key is not there: put it back when something has to be signed."
    names = read_names(files)
    wanted = {bearer.folder: {*bearer.dns_names(names), bearer.uri(names)} for bearer in layout.BEARERS}
    wanted[layout.EDGE_HTTP] = set(names.edge_hosts)
    try:
        yield from _late("ca.crt", authority, now_seconds, below_seconds)
    except NoKeyError:
        yield "ca.crt holds no certificate: put it back from your backup."
        return
    for folder, said in wanted.items():
        key, certificate = files.read(f"{folder}/tls.key"), files.read(f"{folder}/tls.crt")
        if key is None or certificate is None:
            yield f"{folder} has no certificate, or not its key: `comptoir secrets init` makes them."
            continue
        try:
            yield from _of_pair(folder, key, certificate, authority)
            yield from _late(f"{folder}/tls.crt", certificate, now_seconds, below_seconds)
            if certificates.names_of(certificate) != said:
                yield f"{folder}/tls.crt says other names than names.yaml: `comptoir secrets renew`."
        except NoKeyError:
            yield f"{folder} cannot be read: remove tls.key and tls.crt in it, then `comptoir secrets init`."


def _of_pair(folder: str, key: bytes, certificate: bytes, authority: bytes) -> Iterator[str]:
    if not certificates.fits(key, certificate):
        yield f"{folder}/tls.crt is of another key: `comptoir secrets init` makes it anew."
    if not certificates.is_signed_by(certificate, authority):
        yield f"{folder}/tls.crt was not signed by ca.crt: remove it, then `comptoir secrets init`."


def _late(name: str, certificate: bytes, now_seconds: float, below_seconds: float) -> Iterator[str]:
    left = certificates.seconds_left(certificate, now_seconds)
    if left >= below_seconds:
        return
    step = "`comptoir secrets renew` signs a new one"
    if name == layout.CA_CERTIFICATE:
        step = "begin a new folder, and replace the whole of the old one"
    when = (
        f"ends in {left / _DAY_SECONDS:.0f} days"
        if left > 0
        else f"ended {-left / _DAY_SECONDS:.0f} days ago"
    )
    yield f"{name} {when}: {step}."

"""Who may make which call: lists of principals, by the names in the certificate that a caller shows."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from services.kernel.errors import ComptoirError, Reason
from services.kernel.process_names import SCHEME, RegionName, process_of

# As gRPC names them in the authentication context of a call.
_NAME_PROPERTIES: Final = ("x509_common_name", "x509_subject_alternative_name")
_URI_PROPERTY: Final = "peer_uri"
_TRANSPORT_PROPERTY: Final = "transport_security_type"
_TLS: Final = (b"ssl", b"tls")


# Of the rule that a certificate broke, as errors name fields.
_REGION_FIELD: Final = "certificate.region"


class Refusal(StrEnum):
    """Why a caller may not make a call."""

    NO_REGION = "no_region"
    OTHER_REGION = "other_region"
    NOT_LISTED = "not_listed"

    def error(self) -> ComptoirError:
        """Returns what the caller is told."""
        field = "" if self is Refusal.NOT_LISTED else _REGION_FIELD
        return ComptoirError(Reason.CALLER_NOT_ALLOWED, field=field)


class Callers:
    """The lists of one listener: by service or by RPC, the names of those who may call it.

    `ReplicaService/Report` goes before `ReplicaService`. A call that neither names is refused, unless
    there is no list at all. In a name, `*` stands for any characters; in one of SPIFFE, for any within one
    segment. With `region`, whoever is of another one may call nothing, whatever the lists say.
    """

    def __init__(self, lists: Mapping[str, Sequence[str]], region: RegionName | None = None) -> None:
        self._lists = {key: tuple(names) for key, names in lists.items()}
        self._region = region

    def refusal(self, method: str, names: Sequence[str], uris: Sequence[str] = ()) -> Refusal | None:
        """Returns why a certificate with these names and URIs may not call `package.Service/Method`."""
        if self._region is not None:
            process = process_of(uris)
            if process is None:
                return Refusal.NO_REGION
            if process.of != self._region:
                return Refusal.OTHER_REGION
        if self._lists and not any(self._may_call(method, name) for name in names):
            return Refusal.NOT_LISTED
        return None

    def in_order(self, method: str, names: Sequence[str]) -> tuple[str, ...]:
        """Returns names with those first that may call: another one may be that of many certificates."""
        return tuple(sorted(names, key=lambda name: not self._may_call(method, name)))

    def _may_call(self, method: str, name: str) -> bool:
        service, _, rpc = method.rpartition("/")
        service = service.rpartition(".")[2]
        allowed = self._lists.get(f"{service}/{rpc}", self._lists.get(service, ()))
        return any(_matches(name, pattern) for pattern in allowed)


def _matches(name: str, pattern: str) -> bool:
    if not pattern.startswith(SCHEME):
        return fnmatchcase(name, pattern)
    segments, patterns = name.split("/"), pattern.split("/")
    # `spiffe:`, nothing, and the trust domain with its path.
    return len(segments) == len(patterns) and all(segments[2:]) and all(map(fnmatchcase, segments, patterns))


def names_of(context: Any) -> tuple[str, ...] | None:
    """Returns the names in the certificate of a call's peer; None where the listener asks for none.

    Without TLS the listener is one that only this machine reaches.
    """
    properties = context.auth_context()
    if not any(value in _TLS for value in properties.get(_TRANSPORT_PROPERTY, ())):
        return None
    uris = _texts(properties, _URI_PROPERTY)
    names = (name for key in _NAME_PROPERTIES for name in _texts(properties, key))
    # A common name or a DNS name in the form of a SPIFFE ID is none, nor is one of several URIs.
    return tuple(name for name in names if not name.startswith(SCHEME) or uris == (name,))


def uris_of(context: Any) -> tuple[str, ...]:
    """Returns the URIs in the certificate of a call's peer."""
    return _texts(context.auth_context(), _URI_PROPERTY)


def _texts(properties: Mapping[str, Sequence[bytes]], key: str) -> tuple[str, ...]:
    return tuple(value.decode("utf-8", "replace") for value in properties.get(key, ()))

"""Who may make which call: lists of principals, by the names in the certificate that a caller shows."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from services.kernel.errors import ComptoirError, Reason

# As gRPC names them in the authentication context of a call.
_NAME_PROPERTIES: Final = ("x509_common_name", "x509_subject_alternative_name")
_TRANSPORT_PROPERTY: Final = "transport_security_type"
_TLS: Final = (b"ssl", b"tls")


class Callers:
    """The lists of one listener: by service or by RPC, the names of those who may call it.

    `ReplicaService/Report` goes before `ReplicaService`. A call that neither names is refused, unless
    there is no list at all. In a name, `*` stands for any characters.
    """

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        self._lists = {key: tuple(names) for key, names in lists.items()}

    def check(self, method: str, names: Sequence[str]) -> None:
        """Raises CALLER_NOT_ALLOWED unless one of `names` may call `package.Service/Method`."""
        if not self._lists:
            return
        if not any(self._may_call(method, name) for name in names):
            raise ComptoirError(Reason.CALLER_NOT_ALLOWED)

    def in_order(self, method: str, names: Sequence[str]) -> tuple[str, ...]:
        """Returns names with those first that may call: another one may be that of many certificates."""
        return tuple(sorted(names, key=lambda name: not self._may_call(method, name)))

    def _may_call(self, method: str, name: str) -> bool:
        service, _, rpc = method.rpartition("/")
        service = service.rpartition(".")[2]
        allowed = self._lists.get(f"{service}/{rpc}", self._lists.get(service, ()))
        return any(fnmatchcase(name, pattern) for pattern in allowed)


def names_of(context: Any) -> tuple[str, ...] | None:
    """Returns the names in the certificate of a call's peer; None where the listener asks for none.

    Without TLS the listener is one that only this machine reaches.
    """
    properties = context.auth_context()
    if not any(value in _TLS for value in properties.get(_TRANSPORT_PROPERTY, ())):
        return None
    return tuple(
        value.decode("utf-8", "replace") for key in _NAME_PROPERTIES for value in properties.get(key, ())
    )

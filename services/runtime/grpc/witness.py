"""Who is told of every call of a server, before it is answered and whatever becomes of it."""

from typing import Any, Final, Protocol


class WitnessedCall(Protocol):
    """One call under way."""

    async def ask(self, request: Any) -> None:
        """Hears of a call that may be made; raises why it must not be."""
        ...

    async def answer(self, answer: Any) -> None:
        """Hears the answer before the caller does; raises why it must not be given."""
        ...

    def fail(self, error: BaseException) -> None:
        """Hears why there is no answer; never raises."""
        ...


class Witness(Protocol):
    """Hears of the calls of one server; calls that stream are not made on such a server."""

    def call(self, method: str, names: tuple[str, ...] | None) -> WitnessedCall:
        """Returns what hears of one call, by its method and the names in the caller's certificate.

        No names stand for a caller without a certificate, on a socket that only its owner reaches.
        """
        ...


class _Nobody:
    """The witness of a server that has none."""

    def call(self, method: str, names: tuple[str, ...] | None) -> "_Nobody":
        """Returns itself."""
        del method, names
        return self

    async def ask(self, request: Any) -> None:
        """Does nothing."""

    async def answer(self, answer: Any) -> None:
        """Does nothing."""

    def fail(self, error: BaseException) -> None:
        """Does nothing."""


NOBODY: Final = _Nobody()

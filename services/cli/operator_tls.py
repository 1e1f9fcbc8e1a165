"""The certificate that an operator shows to a router of another machine: three options of each command."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PANEL: Final = "A router of another machine"

Admin = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        envvar="COMPTOIR_ADMIN",
        help="The admin service of another router: unix:/path, or host:port, with a certificate where that "
        "is another machine.",
    ),
]


@dataclass(frozen=True, slots=True)
class OperatorTls:
    """The files that were named, each None where it was not."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


_NO_FILES: Final = OperatorTls()
# Of the command that runs: its own parameters are what it asks, and these are how it gets there.
OPERATOR_TLS: Final[ContextVar[OperatorTls]] = ContextVar("operator_tls", default=_NO_FILES)


def _option(envvar: str, help_: str) -> Any:  # what typer reads of an annotation
    return Annotated[
        Path | None, typer.Option(metavar="FILE", envvar=envvar, help=help_, rich_help_panel=_PANEL)
    ]


_OPTIONS: Final = {
    "ca": _option("COMPTOIR_ADMIN_CA", "The authority that signed the router's certificate."),
    "certificate": _option("COMPTOIR_ADMIN_CERTIFICATE", "Your certificate, with its chain."),
    "key": _option("COMPTOIR_ADMIN_KEY", "The private key of your certificate."),
}


class AdminCommands(typer.Typer):
    """Commands; those that have `--admin` have the files of a certificate too."""

    def command(self, *arguments: Any, **options: Any) -> Callable[[_Function], _Function]:
        """Returns what makes a function a command, and leaves the function as it is."""
        register = super().command(*arguments, **options)

        def decorate(function: _Function) -> _Function:
            register(_with_files(function) if "admin" in inspect.signature(function).parameters else function)
            return function

        return decorate


def _with_files(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function with the three options beside its own, which it notes."""

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        OPERATOR_TLS.set(OperatorTls(**{name: named.pop(name) for name in _OPTIONS}))
        return function(*arguments, **named)

    signature = inspect.signature(function)
    kind = inspect.Parameter.KEYWORD_ONLY
    further = [
        inspect.Parameter(name, kind, default=None, annotation=option) for name, option in _OPTIONS.items()
    ]
    vars(run)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *further])
    run.__annotations__ = {**function.__annotations__, **_OPTIONS}
    return run

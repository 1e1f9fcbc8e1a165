"""Where Kafka is and who asks: the options that every command of `comptoir kafka` has."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec

import typer
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.runtime.addresses import TlsFiles
from services.runtime.kafka_target import KafkaTarget, KafkaUser
from services.runtime.privacy import keep_private

Parameters = ParamSpec("Parameters")
_PANEL: Final = "Where Kafka is, and who asks"


def _option(type_: Any, help_: str, **more: Any) -> Any:  # what typer reads of an annotation
    return Annotated[type_, typer.Option(help=help_, rich_help_panel=_PANEL, **more)]


_OPTIONS: Final = {
    "bootstrap": (_option(str, "Its addresses, host:port with commas between."), inspect.Parameter.empty),
    "user": (_option(str, "A user of SCRAM, with --password-file.", show_default=False), ""),
    "password_file": (_option(Path | None, "File with the user's password.", metavar="FILE"), None),
    "mechanism": (_option(str, "SCRAM-SHA-512 or SCRAM-SHA-256."), "SCRAM-SHA-512"),
    "ca": (_option(Path | None, "The authority of the brokers' certificates.", metavar="FILE"), None),
    "certificate": (
        _option(Path | None, "Your certificate, where Kafka asks for one.", metavar="FILE"),
        None,
    ),
    "key": (_option(Path | None, "The certificate's private key.", metavar="FILE"), None),
}


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Returns a command that has the options in place of its parameter `target`."""

    @wraps(function)
    def run(**named: Any) -> None:
        # Passwords are in memory, and a core dump would be a copy of them on the disk.
        keep_private()
        options = {name: named.pop(name) for name in _OPTIONS}
        function(target=_target(**options), **named)

    signature = inspect.signature(function)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = [one.replace(kind=kind) for name, one in signature.parameters.items() if name != "target"]
    further = [
        inspect.Parameter(name, kind, default=default, annotation=option)
        for name, (option, default) in _OPTIONS.items()
    ]
    run.__signature__ = signature.replace(parameters=[*own, *further])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*own, *further)}
    return run


def scram_user(name: str, file: Path | None, mechanism: str) -> KafkaUser | None:
    """Returns a user of SCRAM, None where none is named; StackError says what is missing."""
    if not name and file is None:
        return None
    if not name or file is None:
        raise StackError("--user and --password-file go together.")
    try:
        return KafkaUser.model_validate({"user": name, "password_file": file, "mechanism": mechanism})
    except ValidationError as error:
        raise StackError(first_problem(error, "the user")) from None


def _target(  # noqa: PLR0913 - one argument per option of the command line
    *,
    bootstrap: str,
    user: str,
    password_file: Path | None,
    mechanism: str,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
) -> KafkaTarget:
    sasl = scram_user(user, password_file, mechanism)
    if (certificate is None) != (key is None) or (certificate is not None and ca is None):
        raise StackError("--certificate, --key and --ca go together.")
    try:
        if certificate is None or key is None or ca is None:
            return KafkaTarget(bootstrap=bootstrap, ca_file=ca, sasl=sasl)
        files = TlsFiles(certificate_file=certificate, private_key_file=key, ca_file=ca)
        return KafkaTarget(bootstrap=bootstrap, tls=files, sasl=sasl)
    except ValidationError as error:
        raise StackError(first_problem(error, "--bootstrap")) from None

"""Links that sign an operator in to a console, made by who may read its secret."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.contract.sign_in_link import LINK_SECONDS, LINK_SECRET_BYTES, NONCE_BYTES, sign_in_token
from services.runtime.settings import SettingsError, read_secret

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - looked for, not listened on


def sign_in_link(url: str, secret_file: Path, now_seconds: float) -> str:
    """Returns a link for a console; what comes behind # is sent to nobody. StackError without the secret."""
    try:
        secret = read_secret(secret_file, length_bytes=LINK_SECRET_BYTES)
    except SettingsError as error:
        raise StackError(f"No link can be made: {error}") from None
    token = sign_in_token(secret, secrets.token_bytes(NONCE_BYTES), int(now_seconds) + LINK_SECONDS)
    return f"{url}/#{token}"


def link_of(state: Mapping[str, Any], now_seconds: float) -> str:
    """Returns a link for the console of a stack that runs; empty where it has none."""
    url = state.get("console")
    if not url:
        return ""
    return sign_in_link(str(url), DataPaths(Path(str(state["data_dir"]))).console_secret, now_seconds)


def console_url(section: Mapping[str, Any]) -> str:
    """Returns where browsers find the console of a settings file's section, as far as that says it."""
    listen = section.get("listen")
    if not isinstance(listen, dict):
        raise StackError("The settings have no console.listen; docs/console.md says what it takes.")
    names = section.get("public_names") or ()
    host = str(names[0]) if names else str(listen.get("host", "127.0.0.1"))
    if host in _ANY_ADDRESS:
        host = "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if listen.get('tls') else 'http'}://{shown}:{listen.get('port', 0)}"

"""Which endpoint a command asks, for which model, with which key: the local stack's, or another one's."""

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import missing_state, read_state
from services.runtime.settings import environment

_NO_URL: Final = "--base-url must be a URL such as https://comptoir.example/v1."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where, and as whom; `model` is empty where nobody said which, `own_url` where no stack runs here."""

    base_url: str
    model: str
    own_url: str


def found_endpoint(paths: DataPaths, base_url: str, model: str, *, needs_model: bool = True) -> Endpoint:
    """Returns the endpoint that the options name, or the local stack's; StackError where there is neither."""
    state = read_state(paths)
    if state is None:
        if not base_url or (needs_model and not model):
            raise missing_state(paths.root)
        address_of(base_url)
        return Endpoint(base_url, model, "")
    url = base_url or state["base_url"]
    is_own = address_of(url) == address_of(state["base_url"])
    if needs_model or is_own:
        model = model or state["model"]
    return Endpoint(url, model, state["base_url"])


def key_for(endpoint: Endpoint, paths: DataPaths) -> str | None:
    """Returns the environment's key, or the folder's for its own stack; None where neither may be sent."""
    given = environment().get("COMPTOIR_API_KEY", "")
    if given:
        return given
    # The folder's key opens the local stack: whoever answers elsewhere would have it.
    if not endpoint.own_url or address_of(endpoint.base_url) != address_of(endpoint.own_url):
        return None
    try:
        return paths.api_key.read_text(encoding="ascii").strip()
    except OSError:
        raise StackError(
            f"There is no API key: set COMPTOIR_API_KEY, or name the folder of a local stack with --data-dir "
            f"(looked in {paths.secrets}{os.sep})."
        ) from None


def needed_key(endpoint: Endpoint, paths: DataPaths) -> str:
    """Returns the key, or says why the folder's goes nowhere else."""
    key = key_for(endpoint, paths)
    if key is None:
        own_url = endpoint.own_url
        known = f"sent to {own_url} alone" if own_url else "not sent elsewhere"
        raise StackError(f"Set COMPTOIR_API_KEY to a key of that endpoint: the data folder's key is {known}.")
    return key


def address_of(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port; StackError where it is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise StackError(_NO_URL) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise StackError(_NO_URL)
    return parts.scheme, parts.hostname, port

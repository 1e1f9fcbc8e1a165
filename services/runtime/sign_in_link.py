"""Makes links that sign in to a console that runs, from its settings: the command's, and its container's own.

In a container: `python -m services.runtime.sign_in_link --config FILE`.
"""

import argparse
import http.client
import secrets
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from services.contract.sign_in_link import LINK_SECRET_BYTES, NONCE_BYTES, Moment
from services.runtime.settings import environment, read_secret, read_section
from services.runtime.settings_error import SettingsError

_SECTION: Final = "console"
_PATH: Final = "/sign-in/moment"
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked for, not listened on
_ASK_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.2
_MOST_BYTES: Final = 256


class NoLinkError(Exception):
    """No link can be made; the text is a sentence with the next step."""


def console_url(section: Mapping[str, Any]) -> str:
    """Returns where browsers find the console of a settings file's section, as far as that says it."""
    names = section.get("public_names") or ()
    return _url(section, str(names[0]) if names else "")


def section_link(section: Mapping[str, Any], *, wait_seconds: float = 0.0) -> str:
    """Returns a link for the console of a section, or its URL where none let in; NoLinkError otherwise."""
    url, file = console_url(section), section.get("secret_file")
    if not file:
        return url
    # Seen from within its container, it may not have the name that browsers call.
    return sign_in_link([url, _url(section, "")], Path(str(file)), wait_seconds=wait_seconds)


def sign_in_link(urls: Sequence[str], secret_file: Path, *, wait_seconds: float = 0.0) -> str:
    """Returns a link for the console that answers at one of some URLs, with the first of them.

    What comes behind # is sent to nobody. NoLinkError without the secret, or where none answers in time.
    """
    try:
        secret = read_secret(secret_file, length_bytes=LINK_SECRET_BYTES)
    except SettingsError as error:
        raise NoLinkError(f"No link can be made: {error}") from None
    moment = _moment(urls, wait_seconds)
    return f"{urls[0]}/#{moment.sign_in_token(secret, secrets.token_bytes(NONCE_BYTES))}"


def _url(section: Mapping[str, Any], name: str) -> str:
    listen = section.get("listen")
    if not isinstance(listen, dict):
        raise NoLinkError("The settings have no console.listen; docs/console.md says what it takes.")
    host = name or str(listen.get("host", "127.0.0.1"))
    host = _ANY_ADDRESS.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if listen.get('tls') else 'http'}://{shown}:{listen.get('port', 0)}"


def _moment(urls: Sequence[str], wait_seconds: float) -> Moment:
    """Returns the moment of the console's run, from the first URL that has it; a console may be starting."""
    end_seconds = time.monotonic() + wait_seconds
    while True:
        for url in dict.fromkeys(urls):
            if (moment := _told(url)) is not None:
                return moment
        if time.monotonic() >= end_seconds:
            asked = " or ".join(dict.fromkeys(urls))
            raise NoLinkError(
                f"No link can be made: no console answers at {asked}. A link is for one run of a console: "
                "start it, or ask from where it is reached."
            )
        time.sleep(_PAUSE_SECONDS)


def _told(url: str) -> Moment | None:
    place = urlsplit(url)
    connection: http.client.HTTPConnection
    if place.scheme == "https":
        connection = http.client.HTTPSConnection(place.netloc, timeout=_ASK_SECONDS, context=_unverified())
    else:
        connection = http.client.HTTPConnection(place.netloc, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", _PATH)
        answer = connection.getresponse()
        is_told = answer.status == http.HTTPStatus.OK
        return Moment.read(answer.read(_MOST_BYTES).decode("ascii")) if is_told else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _unverified() -> ssl.SSLContext:
    """Nothing is told to whom it asks, and a moment of another run makes a link that lets in nowhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a link, or ends with a sentence and status 1."""
    parser = argparse.ArgumentParser(description="Prints a link that signs in to a console, once.")
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="its settings file")
    parser.add_argument("--wait-seconds", type=float, default=0.0, help="the longest wait until it answers")
    options = parser.parse_args(arguments)
    try:
        section = read_section(_SECTION, options.config, environment())
        link = section_link(section, wait_seconds=options.wait_seconds)
    except (SettingsError, NoLinkError) as error:
        sys.stderr.write(f"comptoir console: {error}\n")
        sys.exit(1)
    sys.stdout.write(f"{link}\n")


if __name__ == "__main__":
    main()

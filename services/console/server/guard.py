"""Who may look: the Host that a browser names, how somebody signed on, and where a POST comes from."""

import ipaddress
import secrets
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from services.console.domain.hosts import is_from_own_page, is_own_host
from services.console.domain.sessions import Sessions, UsedLinks
from services.console.settings import ConsoleSettings, ProxySignOn
from services.contract.sign_in_link import LINK_SECONDS, RUN_BYTES, Moment
from services.kernel.clock import Clock

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a browser keeps of a session that has begun."""

    secret: str
    seconds: int


class Guard:
    """Decides about each request; sessions and links are those of one run, so a restart ends them."""

    def __init__(self, settings: ConsoleSettings, link_secret: bytes | None, clock: Clock) -> None:
        self._settings = settings
        self._link_secret = link_secret
        self._clock = clock
        self._run = secrets.token_bytes(RUN_BYTES)
        self._began_seconds = clock.monotonic_seconds()
        self._names = frozenset(name.lower() for name in settings.public_names)
        self._sessions = Sessions(settings.session_seconds)
        self._used = UsedLinks(LINK_SECONDS)
        # Cookies know no ports: two consoles of one machine must not sign each other out.
        self.cookie: Final = f"comptoir_console_{settings.listen.port}"
        self.is_secure: Final = settings.listen.tls is not None

    @property
    def has_links(self) -> bool:
        """Whether people sign in with links."""
        return self._link_secret is not None

    def is_own_host(self, request: Request) -> bool:
        """Returns whether the browser was told a name that is the console's."""
        return is_own_host(request.headers.get("host", ""), self._names)

    def is_own_post(self, request: Request) -> bool:
        """Returns whether a page of the console itself sends it."""
        headers = request.headers
        return is_from_own_page(
            headers.get("host", ""), headers.get("origin", ""), headers.get("sec-fetch-site", "")
        )

    def is_signed_on(self, request: Request) -> bool:
        """Returns whether whoever asks may look."""
        if self._settings.proxy is not None:
            return _is_by(self._settings.proxy, request)
        if self._settings.is_open_to_this_machine or self._link_secret is None:
            # Without a certificate of the authority nobody's handshake came to its end.
            return True
        return self._sessions.knows(request.cookies.get(self.cookie, ""), self._clock.monotonic_seconds())

    def moment(self) -> Moment:
        """Returns what a link that is made now is bound to; it tells nobody anything else."""
        return Moment(self._run, int(self._clock.monotonic_seconds() - self._began_seconds))

    def sign_in(self, token: str) -> NewSession | None:
        """Returns a new session for a link that was not used; None for anything else."""
        if self._link_secret is None:
            return None
        now = self.moment()
        nonce = now.verified_nonce(self._link_secret, token)
        if nonce is None or not self._used.use(nonce, now.seconds):
            return None
        session = NewSession(secrets.token_urlsafe(_SECRET_BYTES), int(self._settings.session_seconds))
        self._sessions.begin(session.secret, self._clock.monotonic_seconds())
        return session

    def sign_out(self, request: Request) -> None:
        """Ends the session of whoever asks."""
        self._sessions.end(request.cookies.get(self.cookie, ""))


def _is_by(proxy: ProxySignOn, request: Request) -> bool:
    """Returns whether the proxy says who it is, and it is the proxy."""
    if request.client is None or not request.headers.get(proxy.header, "").strip():
        return False
    address = ipaddress.ip_address(request.client.host)
    return any(address in ipaddress.ip_network(network) for network in proxy.addresses)

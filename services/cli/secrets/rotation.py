"""Puts another authority in the place of the present one, in steps between which everybody believes both.

First all believe both, then all show certificates of the new one, then all believe that alone. A process that
has read what the step before wrote understands one that has read what the next one writes. Each step may be
repeated, also after a kill.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.local.stack.errors import StackError
from services.cli.secrets import certificates, layout
from services.cli.secrets.certificates import NoKeyError
from services.cli.secrets.making import UNREADABLE, SecretsMaking
from services.cli.secrets.signing import Authority

_KEY_AWAY = "authority/next-ca.key, which `authority add` made, is not there: put it back, and repeat this."
_NOT_BEGUN = "No other authority was added: `comptoir secrets authority add` begins."


@dataclass(slots=True)
class AuthorityRotation:
    """One step on one folder; what it wrote is in `making`."""

    making: SecretsMaking

    def add(self) -> None:
        """Makes another authority, which everybody believes beside the present one; it signs nothing yet."""
        with self._opened():
            believed, files = self._believed(), self.making.files
            key = files.read(layout.NEXT_CA_KEY)
            if key is None and len(believed) > 1:
                raise StackError("There are two authorities already: `comptoir secrets authority retire`.")
            if key is None:
                # Of an earlier rotation that was killed in its last step.
                files.remove(layout.FORMER_CA_KEY)
                key = certificates.new_key()
                files.make(layout.NEXT_CA_KEY, key, is_kept=True)
                self.making.made.append(layout.NEXT_CA_KEY)
            if certificates.of_key(believed, key) is None:
                added = certificates.authority(key, self.making.now_seconds)
                self._believe((*believed, added))
            self.making.make_all(renew_below_seconds=None)

    def use(self) -> None:
        """Has every certificate signed by the new authority, while the former one is believed too."""
        with self._opened():
            believed, files = self._believed(), self.making.files
            key = files.read(layout.NEXT_CA_KEY)
            if key is None and len(believed) == 1:
                raise StackError(_NOT_BEGUN)
            if key is None and not self._is_new_in_use(believed):
                raise StackError(_KEY_AWAY)
            if key is not None:
                if certificates.of_key(believed, key) is None or not self._is_believed_by_all():
                    raise StackError("Not everybody is told of the new authority: repeat `authority add`.")
                self._change_keys(key)
            authority = Authority.of(files.read(layout.CA_KEY), b"".join(self._believed()))
            self._believe(authority.believed)
            self.making.make_all(renew_below_seconds=0.0)

    def retire(self) -> None:
        """Has the former authority believed by nobody; StackError while a certificate is of it."""
        with self._opened():
            believed, files = self._believed(), self.making.files
            if files.read(layout.NEXT_CA_KEY) is not None or not self._is_new_in_use(believed):
                raise StackError("The new authority signs nothing yet: `comptoir secrets authority use`.")
            authority = Authority.of(files.read(layout.CA_KEY), b"".join(believed))
            for folder in (*(bearer.folder for bearer in layout.BEARERS), layout.EDGE_HTTP):
                shown = files.read(f"{folder}/tls.crt")
                if shown is not None and not certificates.is_signed_by(shown, authority.certificate):
                    raise StackError(f"{folder}/tls.crt is of the former authority: repeat `authority use`.")
            self._believe((authority.certificate,))
            self.making.make_all(renew_below_seconds=None)
            files.remove(layout.FORMER_CA_KEY)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        files = self.making.files
        if files.read(layout.NAMES) is None:
            raise StackError("That is no folder of secrets: `comptoir secrets init` makes one.")
        try:
            with files.alone():
                yield
        except NoKeyError:
            raise StackError(UNREADABLE) from None

    def _change_keys(self, key: bytes) -> None:
        files = self.making.files
        former = files.read(layout.CA_KEY)
        if former != key:
            if former is not None:
                files.make(layout.FORMER_CA_KEY, former, is_kept=True)
            files.replace(layout.CA_KEY, key, is_kept=True)
        files.remove(layout.NEXT_CA_KEY)

    def _is_new_in_use(self, believed: tuple[bytes, ...]) -> bool:
        """Tells whether `use` was: its keys may be kept elsewhere, so no next key does not say it."""
        files = self.making.files
        own = Authority.of(files.read(layout.CA_KEY), b"".join(believed)).certificate
        return files.read(layout.FORMER_CA_KEY) is not None or certificates.is_newest(own, believed)

    def _is_believed_by_all(self) -> bool:
        files = self.making.files
        bundle = files.read(layout.CA_CERTIFICATE)
        return all(files.read(f"{bearer.folder}/ca.crt") == bundle for bearer in layout.BEARERS)

    def _believe(self, believed: tuple[bytes, ...]) -> None:
        content = b"".join(believed)
        if self.making.files.read(layout.CA_CERTIFICATE) != content:
            self.making.files.replace(layout.CA_CERTIFICATE, content)
            self.making.renewed.append(layout.CA_CERTIFICATE)

    def _believed(self) -> tuple[bytes, ...]:
        bundle = self.making.files.read(layout.CA_CERTIFICATE)
        if bundle is None:
            raise StackError("ca.crt is missing: put it back from your backup.")
        return certificates.each_of(bundle)

"""The authority of one run: who signs, whom everybody believes, and which certificates are made anew."""

from dataclasses import dataclass
from typing import Final

from deploy.local.stack.errors import StackError
from services.cli.secrets import certificates
from services.cli.secrets.certificates import EndedAuthorityError, Wanted

_DAY_SECONDS: Final = 86_400.0
NEXT_AUTHORITY: Final = "begin another one with `comptoir secrets authority add`"


@dataclass(frozen=True, slots=True)
class Authority:
    """`certificate` is of `key`, which is None where it is kept elsewhere; `believed` has it first."""

    key: bytes | None
    certificate: bytes
    believed: tuple[bytes, ...]

    @classmethod
    def of(cls, key: bytes | None, bundle: bytes) -> "Authority":
        """Returns that of the two files; StackError where they are of two authorities."""
        every = certificates.each_of(bundle)
        own = every[0] if key is None else certificates.of_key(every, key)
        if own is None:
            raise StackError("authority/ca.key is not that of ca.crt: put both back from your backup.")
        return cls(key, own, (own, *(one for one in every if one != own)))

    @property
    def bundle(self) -> bytes:
        """What every process is given to believe."""
        return b"".join(self.believed)


@dataclass(frozen=True, slots=True)
class Signing:
    """`renew_below_seconds` is None where certificates that are there stay as they are."""

    authority: Authority
    renew_below_seconds: float | None

    def signed(self, key: bytes, wanted: Wanted) -> bytes:
        """Returns a certificate; StackError where the authority cannot sign one."""
        if self.authority.key is None:
            raise StackError("authority/ca.key is missing, without which nothing can be signed: put it back.")
        try:
            return certificates.signed(key, wanted, self.authority.key, self.authority.certificate)
        except EndedAuthorityError:
            raise StackError(f"The authority has ended and can sign nothing: {NEXT_AUTHORITY}.") from None

    def is_due(self, old: bytes, wanted: Wanted) -> bool:
        """Tells whether a certificate is made anew: it ends soon, or is not what would be signed now."""
        if self.renew_below_seconds is None:
            return False
        said = frozenset((*wanted.dns_names, *((wanted.uri,) if wanted.uri else ())))
        return (
            certificates.seconds_left(old, wanted.now_seconds) < self.renew_below_seconds
            or certificates.names_of(old) != said
            or not certificates.is_signed_by(old, self.authority.certificate)
            or certificates.is_authority(old)
            or not certificates.is_for_both_sides(old)
        )

    def check_is_worth_it(self, now_seconds: float) -> None:
        """Raises StackError where what is signed now would be due again at once."""
        left = certificates.seconds_left(self.authority.certificate, now_seconds)
        if self.renew_below_seconds is not None and left < self.renew_below_seconds:
            raise StackError(
                f"The authority ends in {left / _DAY_SECONDS:.0f} days, and no certificate outlives it: "
                f"{NEXT_AUTHORITY}, or sign until then with --until-authority-ends."
            )

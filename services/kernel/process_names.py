"""Names of processes in certificates: SPIFFE IDs that say the region and the kind of a process."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

SCHEME: Final = "spiffe://"
# By SPIFFE an id has at most 2048 bytes; ours need far fewer, and a DNS name has to hold the first two parts.
_MOST_CHARACTERS: Final = 512
_MOST_OF_TRUST_DOMAIN: Final = 128
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z0-9]{1,12})?")
_PROCESS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class RegionName:
    """One region of a trust domain: `spiffe://TRUST-DOMAIN/region/REGION`."""

    trust_domain: str
    region: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Returns the region that `text` names, or None; nothing is normalised."""
        match _segments(text):
            case [domain, "region", region] if _is_trust_domain(domain) and _REGION.fullmatch(region):
                return cls(domain, region)
        return None

    def host(self, host: str) -> str:
        """Returns the DNS name by which `host` proves with its certificate that it is of this region."""
        return f"{host.replace(':', '-')}.{self.region}.{self.trust_domain}"

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/region/{self.region}"


@dataclass(frozen=True, slots=True)
class ProcessName:
    """One process: `spiffe://TRUST-DOMAIN/region/REGION/process/PROCESS`, and perhaps `/INSTANCE`."""

    of: RegionName
    process: str
    instance: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Returns the process that `text` names, or None; nothing is normalised."""
        match _segments(text):
            case [domain, "region", region, "process", process, *rest]:
                of = RegionName.parse(f"{SCHEME}{domain}/region/{region}")
                if of is not None and _PROCESS.fullmatch(process) and _is_instance(rest):
                    return cls(of, process, *rest)
        return None

    def __str__(self) -> str:
        return f"{self.of}/process/{self.process}" + (f"/{self.instance}" if self.instance else "")


def process_of(uris: Sequence[str]) -> ProcessName | None:
    """Returns the process that a certificate names in its URIs; None where it has more than one.

    That is SPIFFE's rule: of two names nobody could say which one is meant.
    """
    return ProcessName.parse(uris[0]) if len(uris) == 1 else None


def _segments(text: str) -> list[str]:
    if len(text) > _MOST_CHARACTERS or not text.startswith(SCHEME):
        return []
    return text.removeprefix(SCHEME).split("/")


def _is_trust_domain(text: str) -> bool:
    return len(text) <= _MOST_OF_TRUST_DOMAIN and all(_LABEL.fullmatch(label) for label in text.split("."))


def _is_instance(rest: Sequence[str]) -> bool:
    return not rest or (len(rest) == 1 and _INSTANCE.fullmatch(rest[0]) is not None)

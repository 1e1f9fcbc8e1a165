"""Transfer records: what permits a region outside the European Union to serve, and when one is in force.

A record and its revocation are signed as DSSE envelopes (`services/runtime/transfers`), so that the tools of
others verify them too; this is what stands in them.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

RECORD_TYPE: Final = "application/vnd.comptoir.transfer-record.v1+json"
REVOCATION_TYPE: Final = "application/vnd.comptoir.transfer-revocation.v1+json"
# An assessment that is older has to be made anew.
MAX_SECONDS: Final = 366 * 86_400
MAX_NUMBER: Final = 2**32 - 1
_REGION: Final = r"^[a-z]{2}(-[a-z0-9]{1,12})?$"
_DIGEST: Final = r"^[0-9a-f]{64}$"


class Mechanism(StrEnum):
    """What makes a transfer lawful, by chapter V of the GDPR."""

    SCC = "scc"
    BCR = "bcr"
    ADEQUACY = "adequacy"
    DEROGATION = "derogation"


class TransferRecord(BaseModel):
    """One permission for one region to serve the keys of some; both people sign exactly this."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    number: int = Field(ge=1, le=MAX_NUMBER)
    region: str = Field(pattern=_REGION)
    home_regions: tuple[str, ...] = Field(min_length=1, max_length=64)
    importer: str = Field(min_length=1, max_length=256)
    mechanism: Mechanism
    assessment_sha256: str = Field(pattern=_DIGEST)
    from_seconds: int = Field(ge=1, lt=2**33)
    until_seconds: int = Field(ge=1, lt=2**33)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not 0 < self.until_seconds - self.from_seconds <= MAX_SECONDS:
            raise ValueError("until_seconds must be after from_seconds, by 366 days at most")
        return self

    def is_in_force(self, now_seconds: float) -> bool:
        """Tells whether the moment lies within the record's time."""
        return self.from_seconds <= now_seconds < self.until_seconds

    def permits(self, region: str, home: str, now_seconds: float) -> bool:
        """Tells whether a region may serve a key of `home` now."""
        return self.region == region and home in self.home_regions and self.is_in_force(now_seconds)

    def payload(self) -> bytes:
        """Returns the bytes that are signed."""
        return self.model_dump_json().encode()


class Revocation(BaseModel):
    """The end of one record, whatever its time says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    number: int = Field(ge=1, le=MAX_NUMBER)
    record_sha256: str = Field(pattern=_DIGEST)
    at_seconds: int = Field(ge=1, lt=2**33)

    def payload(self) -> bytes:
        """Returns the bytes that are signed."""
        return self.model_dump_json().encode()


def record_from(payload: bytes) -> TransferRecord | None:
    """Returns the record that a signed payload holds; None where it holds none."""
    try:
        return TransferRecord.model_validate_json(payload)
    except ValidationError:
        return None


def digest_of(payload: bytes) -> str:
    """Returns the digest by which a revocation names the record that it ends."""
    return hashlib.sha256(payload).hexdigest()


def two_people(requesters: Mapping[str, bytes], approvers: Mapping[str, bytes]) -> tuple[str, str] | None:
    """Returns who asked and who approved, of those whose signatures are good; None unless they are two.

    Both are people by name with their public keys: one key under two names is one person.
    """
    for requester, asked in sorted(requesters.items()):
        for approver, approved in sorted(approvers.items()):
            if asked != approved and requester != approver:
                return requester, approver
    return None

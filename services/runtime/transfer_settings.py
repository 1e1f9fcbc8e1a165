"""Where transfer records are, and whose signatures count: the same for every process of a deployment."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PersonName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]


class TransferSettings(BaseModel):
    """Nothing of it is a secret: people keep their private keys themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(
        default=None,
        description="folder of transfer records and their revocations, which routers and replicas outside "
        "the EU follow; without it none is in force",
    )
    requester_key_files: dict[PersonName, Path] = Field(
        default_factory=dict,
        max_length=64,
        description="public keys of those who may ask for a record, by name: Ed25519, in PEM form",
    )
    approver_key_files: dict[PersonName, Path] = Field(
        default_factory=dict,
        max_length=64,
        description="public keys of those who may approve one; nobody approves what they asked for",
    )

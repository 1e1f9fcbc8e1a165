"""The settings of the local ClickHouse front, section `local_clickhouse`."""

import ipaddress
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from deploy.local.clickhouse.domain.credentials import READER_NAME, Writer
from deploy.local.clickhouse.domain.limits import FrontLimits
from services.runtime.addresses import split_address
from services.runtime.settings import ProcessSettings, SettingsError

SECTION: Final = "local_clickhouse"
_SHORTEST_PASSWORD: Final = 16


class LocalClickHouseSettings(ProcessSettings, FrontLimits):
    """One engine folder behind a loopback address, one writer, and the bounds of what a client may ask."""

    listen: str = Field(default="127.0.0.1:8404", description="loopback `host:port` of the HTTP interface")
    data_folder: Path = Field(description="folder of the engine; created if absent, one front at a time")
    writer_user: str = Field(
        default="comptoir_writer",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="the one user who may write",
    )
    writer_password_file: Path = Field(description="file with the writer's password, 16 characters or more")
    default_database: str = Field(
        default="comptoir",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="the database of names without one; created if absent",
    )

    @field_validator("listen")
    @classmethod
    def _only_this_machine_can_connect(cls, listen: str) -> str:
        host, _ = split_address(listen)
        try:
            is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ValueError("must be a loopback address and a port: every process that connects may read")
        return listen

    @field_validator("writer_user")
    @classmethod
    def _writer_is_not_the_reader(cls, name: str) -> str:
        if name == READER_NAME:
            raise ValueError("must not be the name of the reader")
        return name

    @field_validator("data_folder")
    @classmethod
    def _engine_can_be_told_the_folder(cls, folder: Path) -> Path:
        folder = folder.expanduser().absolute()
        # The engine takes it as the first part of something like a URL.
        if any(sign in str(folder) for sign in "?&#%\n"):
            raise ValueError(
                "may not hold a question mark, an ampersand, a hash, a percent sign or a line end"
            )
        return folder

    @property
    def host(self) -> str:
        """The loopback host to listen on, without brackets."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return split_address(self.listen)[1]

    def writer(self) -> Writer:
        """Returns the writer with the password of its file; SettingsError for fewer than 16 characters."""
        name = self.writer_password_file.name
        try:
            password = self.writer_password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the writer's password file {name} cannot be read.") from None
        if len(password) < _SHORTEST_PASSWORD:
            raise SettingsError(f"the writer's password file {name} must hold 16 characters or more.")
        return Writer(self.writer_user, password)

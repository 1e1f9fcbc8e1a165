"""The settings of the local ClickHouse front, section `local_clickhouse`."""

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator

from deploy.local.clickhouse.domain.credentials import READER_NAME, Writer
from services.runtime.addresses import split_address
from services.runtime.settings import ProcessSettings, SettingsError

SECTION = "local_clickhouse"
_MEBIBYTE = 1024 * 1024
_SHORTEST_PASSWORD = 16


class LocalClickHouseSettings(ProcessSettings):
    """One engine folder behind a loopback address, one writer, and the bounds of what a client may ask."""

    listen: str = "127.0.0.1:8404"
    data_folder: Path
    writer_user: str = Field(default="comptoir_writer", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    writer_password_file: Path
    default_database: str = Field(default="comptoir", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    max_query_bytes: int = Field(default=256 * 1024, ge=1024, le=16 * _MEBIBYTE)
    max_insert_bytes: int = Field(default=64 * _MEBIBYTE, ge=_MEBIBYTE, le=1024 * _MEBIBYTE)
    max_result_bytes: int = Field(default=256 * _MEBIBYTE, ge=_MEBIBYTE)
    max_memory_bytes: int = Field(default=2048 * _MEBIBYTE, ge=64 * _MEBIBYTE)
    max_execution_seconds: int = Field(default=60, ge=1, le=3600)
    max_concurrent_queries: int = Field(default=8, ge=1, le=256)
    max_writer_queries: int = Field(default=4, ge=1, le=64)
    max_waiting_queries: int = Field(default=64, ge=0, le=4096)
    max_wait_seconds: float = Field(default=30.0, gt=0, le=3600)
    # The parser of URLs takes no more than 64 KiB.
    max_head_bytes: int = Field(default=64 * 1024, ge=8 * 1024, le=64 * 1024)
    max_connections: int = Field(default=512, ge=16, le=16_384)
    head_seconds: float = Field(default=10.0, gt=0, le=600)
    idle_connection_seconds: float = Field(default=30.0, gt=0, le=3600)
    body_seconds: float = Field(default=60.0, gt=0, le=3600)
    write_seconds: float = Field(default=10.0, gt=0, le=600)
    max_sessions: int = Field(default=256, ge=1, le=10_000)
    max_temporary_bytes: int = Field(default=64 * _MEBIBYTE, ge=_MEBIBYTE)
    session_timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    drain_seconds: float = Field(default=10.0, gt=0, le=600)

    @field_validator("listen")
    @classmethod
    def _only_this_machine_can_connect(cls, listen: str) -> str:
        host, _ = split_address(listen)
        try:
            is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ValueError("must be a loopback address and a port: everybody who connects may read")
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
        """The writer with the password of its file; SettingsError if it has fewer than 16 characters."""
        name = self.writer_password_file.name
        try:
            password = self.writer_password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the writer's password file {name} cannot be read.") from None
        if len(password) < _SHORTEST_PASSWORD:
            raise SettingsError(f"the writer's password file {name} must hold 16 characters or more.")
        return Writer(self.writer_user, password)

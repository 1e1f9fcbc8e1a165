"""The settings of the local ClickHouse front, section `local_clickhouse`."""

import ipaddress
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from deploy.local.clickhouse.domain.credentials import READER_NAME, Writer
from services.runtime.addresses import split_address
from services.runtime.settings import ProcessSettings, SettingsError

SECTION: Final = "local_clickhouse"
_MEBIBYTE: Final = 1024 * 1024
_SHORTEST_PASSWORD: Final = 16


class LocalClickHouseSettings(ProcessSettings):
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
    max_query_bytes: int = Field(
        default=256 * 1024, ge=1024, le=16 * _MEBIBYTE, description="largest query; a larger one is refused"
    )
    max_insert_bytes: int = Field(
        default=64 * _MEBIBYTE,
        ge=_MEBIBYTE,
        le=1024 * _MEBIBYTE,
        description="largest data of one insert; larger data are refused",
    )
    max_result_bytes: int = Field(
        default=256 * _MEBIBYTE, ge=_MEBIBYTE, description="largest result; a larger one fails"
    )
    max_memory_bytes: int = Field(
        default=2048 * _MEBIBYTE,
        ge=64 * _MEBIBYTE,
        description="most memory of one query; one that needs more fails",
    )
    max_execution_seconds: int = Field(
        default=60, ge=1, le=3600, description="longest run of one query; one that takes longer fails"
    )
    max_concurrent_queries: int = Field(
        default=8, ge=1, le=256, description="queries of readers that run at once; others wait"
    )
    max_writer_queries: int = Field(
        default=4, ge=1, le=64, description="queries of the writer that run at once; others wait"
    )
    max_waiting_queries: int = Field(
        default=64, ge=0, le=4096, description="queries that may wait for a place; more are refused"
    )
    max_wait_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="longest wait for a place before a query is refused"
    )
    # The parser of URLs takes no more than 64 KiB.
    max_head_bytes: int = Field(
        default=64 * 1024,
        ge=8 * 1024,
        le=64 * 1024,
        description="largest URL and headers of a request; larger ones are refused",
    )
    max_connections: int = Field(
        default=512,
        ge=16,
        le=16_384,
        description="most open connections; above it, the one that has waited longest for a request is "
        "closed for a new one",
    )
    head_seconds: float = Field(
        default=10.0, gt=0, le=600, description="longest arrival of a request's headers"
    )
    idle_connection_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="how long a connection stays open between two requests"
    )
    body_seconds: float = Field(default=60.0, gt=0, le=3600, description="longest arrival of a body")
    write_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="how long a client may take in nothing of a piece of an answer that waits for it",
    )
    max_sessions: int = Field(
        default=256,
        ge=1,
        le=10_000,
        description="most sessions of readers, and of the writer; the longest idle ends for a new one",
    )
    max_temporary_bytes: int = Field(
        default=64 * _MEBIBYTE,
        ge=_MEBIBYTE,
        description="most data in temporary tables of a session, and four times as much in all",
    )
    session_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="how long a session without a query is kept"
    )
    drain_seconds: float = Field(
        default=10.0, gt=0, le=600, description="longest end of the queries that run at a drain"
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
        """Returns the writer with the password of its file; SettingsError for fewer than 16 characters."""
        name = self.writer_password_file.name
        try:
            password = self.writer_password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the writer's password file {name} cannot be read.") from None
        if len(password) < _SHORTEST_PASSWORD:
            raise SettingsError(f"the writer's password file {name} must hold 16 characters or more.")
        return Writer(self.writer_user, password)

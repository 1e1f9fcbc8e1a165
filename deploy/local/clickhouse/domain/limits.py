"""The bounds that the front runs with."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

_MEBIBYTE: Final = 1024 * 1024


class FrontLimits(BaseModel):
    """Sizes, numbers and times of what a client may ask; the settings of the front are these and more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    @property
    def most(self) -> Mapping[str, int]:
        """Returns, by the name of a limit of the engine, the largest that a client gets."""
        return {
            "max_execution_time": self.max_execution_seconds,
            "max_memory_usage": self.max_memory_bytes,
            "max_result_bytes": self.max_result_bytes,
        }

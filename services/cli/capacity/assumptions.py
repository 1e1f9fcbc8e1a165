"""What a plan takes for granted of load, replicas and machines; each can be said otherwise."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

SIZES: Final = (1_000, 100_000, 1_000_000)


class Assumptions(BaseModel):
    """The load, and what one replica and one core are taken to do."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    streams: int = Field(default=1_000, ge=1, le=100_000_000, description="answers that run at once")
    tokens_per_second: float = Field(
        default=30.0, gt=0, le=10_000, description="output tokens per second of one stream"
    )
    output_tokens: float = Field(default=300.0, ge=1, le=1_000_000, description="output tokens of an answer")
    streams_per_replica: int = Field(
        default=100, ge=1, le=100_000, description="answers that one replica runs at once"
    )
    idle_connections_per_stream: float = Field(
        default=2.0, ge=0, le=1_000, description="kept-alive connections that wait, for each stream"
    )
    utilization: float = Field(
        default=0.6, gt=0, le=1, description="share of a core that a process is planned to use"
    )
    core_speed: float = Field(
        default=1.0, gt=0, le=100, description="how fast a core is beside those that were measured on"
    )
    edge_memory_mebibytes: int = Field(
        default=1_024, ge=1, le=1_000_000, description="MiB that an edge may use for streams and connections"
    )
    edge_connections: int = Field(
        default=4_096, ge=1, le=1_000_000, description="`edge.max_connections` of each"
    )
    frame_events: int = Field(default=500, ge=1, le=2_000, description="`emitter.frame_max_events` of each")

    @property
    def requests_per_second(self) -> float:
        """How many answers end, and begin, in a second."""
        return self.streams * self.tokens_per_second / self.output_tokens

    @property
    def replicas(self) -> int:
        """How many replicas run the streams."""
        return -(-self.streams // self.streams_per_replica)

    @property
    def requests_per_replica(self) -> float:
        """How many answers begin on a full replica in a second."""
        return self.streams_per_replica * self.tokens_per_second / self.output_tokens

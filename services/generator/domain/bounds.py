"""How often a generator reports, and how long it waits."""

from pydantic import BaseModel, ConfigDict, Field


class Bounds(BaseModel):
    """Durations in seconds; the settings of the section `generator` are these and what it is told besides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load_event_interval_seconds: float = Field(
        default=10.0,
        gt=0,
        le=150,
        description="time between two samples of the load for the store, of which what a replica costs is "
        "made: one that is away for five minutes is taken for gone",
    )
    engine_step_seconds: float = Field(
        default=20.0,
        gt=0,
        description="how long a busy engine may make no step, beside ten times what the prompts that wait "
        "take at its recent pace",
    )
    engine_hang_seconds: float = Field(
        default=120.0,
        gt=0,
        description="how long a busy engine may make no step before it is given up, whatever waits and while "
        "its pace is unknown; longer than the longest prefill step and the compilation of a new shape",
    )
    engine_probe_seconds: float = Field(
        default=30.0,
        ge=0,
        description="how long an engine is idle before it is asked for one token, again and again; one that "
        "makes none within 20 s and ten times what the last took (the first: within engine_hang_seconds), or "
        "nothing that a model can make, is given up; 0 never asks",
    )
    drain_seconds: float = Field(
        default=25.0, ge=0, description="longest end of the answers that run at a drain"
    )
    flush_seconds: float = Field(
        default=5.0, ge=0, description="how long a drain waits for events and settlements to be taken"
    )

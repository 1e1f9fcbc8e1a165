"""What a bench writes as JSON: counts, times and settings, never a prompt, an answer or a key.

Version 1. Fields are only added within a version; a reader refuses another one.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["comptoir.bench/1"] = "comptoir.bench/1"


class _Part(BaseModel):
    """A part of a result, which nothing changes; fields of later writers are let go."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Distribution(_Part):
    """Values of many requests; percentiles by linear interpolation, NumPy's default."""

    count: int = Field(description="how many values")
    mean: float = Field(description="their mean")
    standard_deviation: float = Field(description="their standard deviation, of all of them")
    percentiles: tuple[float, ...] = Field(
        description="the 0th (least) to the 100th (most) percentile", min_length=101, max_length=101
    )

    def at(self, percentile: int) -> float:
        """Returns a whole percentile."""
        return self.percentiles[percentile]


class LoadLevel(_Part):
    """The load of a run."""

    kind: Literal["closed", "open"] = Field(description="closed: users who wait; open: requests by a clock")
    users: int | None = Field(default=None, description="of a closed load: how many")
    rate_per_second: float | None = Field(
        default=None, description="of an open load: mean requests per second"
    )
    arrivals: str | None = Field(
        default=None, description="of an open load: constant, poisson, gamma or trace"
    )
    burstiness: float | None = Field(
        default=None, description="of gamma: the shape; below 1 is burstier than Poisson"
    )


class Requests(_Part):
    """How many requests ended how."""

    sent: int = Field(description="all, warm-up excluded")
    succeeded: int = Field(description="those whose answer came to its end")
    failed: int = Field(description="those that were refused or broke off")
    interrupted: int = Field(description="those in flight at Ctrl-C; besides `sent` in no number")
    errors: dict[str, int] = Field(description="of failed ones: HTTP status and OpenAI's code, or what broke")


class Tokens(_Part):
    """Tokens of the requests that succeeded."""

    input: int = Field(description="of prompts, by the endpoint's usage; else 0")
    output: int = Field(description="of answers")
    counted_by: dict[str, int] = Field(
        description="requests by who counted their output: usage (the endpoint's), tokenizer (ours), "
        "events (one for each event with output)"
    )


class Rates(_Part):
    """Work per second, from the first request's due time to the last one's end."""

    requests_per_second: float = Field(description="requests that succeeded")
    output_tokens_per_second: float = Field(description="their output tokens: the TPS of the endpoint")
    tokens_per_second: float = Field(description="their input and output tokens")


class Latencies(_Part):
    """Of requests that succeeded, in seconds; a part is absent where nothing could be measured."""

    ttft_seconds: Distribution | None = Field(default=None, description="due to first output")
    tpot_seconds: Distribution | None = Field(
        default=None, description="mean time of a token after the first"
    )
    itl_seconds: Distribution | None = Field(
        default=None, description="every gap between two events with output"
    )
    e2e_seconds: Distribution | None = Field(default=None, description="due to last byte")
    send_late_seconds: Distribution | None = Field(
        default=None, description="due to sent: in all of the above"
    )
    tps_per_request: Distribution | None = Field(
        default=None, description="1 / TPOT: tokens per second for a reader"
    )
    input_tokens: Distribution | None = Field(default=None, description="of prompts")
    output_tokens: Distribution | None = Field(default=None, description="of answers")


class Goodput(_Part):
    """Requests that met every objective."""

    met: int = Field(description="how many")
    share: float = Field(description="of all but interrupted ones")
    requests_per_second: float = Field(description="the goodput")


class CostPart(_Part):
    """Money, in the currency of the result."""

    by_hour: float | None = Field(default=None, description="the accelerators, for the time of the run")
    by_hour_per_million_output: float | None = Field(
        default=None, description="the same per million output tokens"
    )
    by_hour_per_million: float | None = Field(
        None, description="the same per million tokens, input and output"
    )
    by_list: float | None = Field(default=None, description="the tokens, by the list of prices")
    by_list_per_million: float | None = Field(
        None, description="the same per million tokens, input and output"
    )


class ClientPart(_Part):
    """Whether the client was quick enough to be believed."""

    cpu_share: float = Field(description="CPU of the busiest sending process, in cores")
    send_late_p99_seconds: float = Field(description="how late what was due was sent")
    processes: int = Field(default=1, description="that sent")
    lost_processes: int = Field(default=0, description="of these, how many died: the run is not whole then")
    cores: int = Field(default=1, description="that the sending processes could use")
    loop_lag_p99_seconds: float = Field(
        default=0.0, description="how late the event loop of a sending process was; of the worst one"
    )
    sender_late_p99_seconds: float = Field(
        default=0.0, description="due to sent, without what the bound of requests in flight held"
    )
    held_requests: int = Field(
        default=0, description="held more than 10 ms, as all places of `--max-in-flight` were taken"
    )
    held_most_seconds: float = Field(default=0.0, description="the longest of these")
    limited_by: Literal["", "sender", "machine", "endpoint"] = Field(
        default="",
        description="who set the pace: the sender (busy), its machine (gave it no time), the endpoint (at "
        "its bound); empty where nothing of it was seen",
    )
    warnings: tuple[str, ...] = Field(
        description="why the numbers may be the client's; empty where they are not"
    )


class Moment(_Part):
    """A stretch of the run."""

    at_seconds: float = Field(description="where it begins")
    seconds: float = Field(description="how long it is")
    started: int = Field(description="requests sent in it")
    succeeded: int = Field(description="requests that ended well in it")
    failed: int = Field(description="requests that failed in it")
    events: int = Field(description="events with output that came in it")
    in_flight: int = Field(description="requests under way at its end")


class Run(_Part):
    """One level of the load."""

    load: LoadLevel
    seconds: float = Field(description="from the first request's due time to the last one's end")
    warm_up_requests: int = Field(description="sent before and measured nowhere")
    requests: Requests
    tokens: Tokens
    rates: Rates
    latencies: Latencies
    goodput: Goodput | None = Field(default=None, description="where objectives were given")
    cost: CostPart | None = Field(default=None, description="where a price was given")
    client: ClientPart
    timeline: tuple[Moment, ...]


class Workload(_Part):
    """What was asked."""

    model: str = Field(description="by the name that was asked")
    endpoint: str = Field(description="URL, without user and query")
    api: Literal["chat", "completions"] = Field(description="which of OpenAI's endpoints")
    streamed: bool = Field(description="whether answers were asked as streams")
    input_tokens: str = Field(description="lengths of prompts, as asked")
    output_tokens: str = Field(description="lengths of answers, as asked")
    languages: tuple[str, ...] = Field(description="of the prompts")
    seed: int = Field(description="the same seed asks the same")
    ignore_eos: bool = Field(description="whether answers were to go on to their length")


class Result(_Part):
    """A whole bench."""

    schema_version: Literal["comptoir.bench/1"] = Field(default=SCHEMA, description="of this file")
    comptoir: str = Field(description="version")
    started_at: str = Field(description="UTC")
    name: str = Field(default="", description="what the person called it")
    is_complete: bool = Field(description="false after Ctrl-C, and where a sending process died")
    workload: Workload
    objectives: dict[str, float] = Field(description="longest seconds, by ttft, tpot or e2e")
    currency: str = Field(description="of every cost")
    runs: tuple[Run, ...]

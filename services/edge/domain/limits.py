"""The bounds that the edge runs with."""

from pydantic import BaseModel, ConfigDict, Field

from services.edge.domain.cors import Origin


class EdgeLimits(BaseModel):
    """Sizes in bytes and waits in seconds; the settings of the section `edge` are these and addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=1024 * 1024,
        description="largest body of a request, as it comes and again without its compression",
    )
    max_header_bytes: int = Field(
        default=8 * 1024,
        ge=1024,
        le=64 * 1024,
        description="largest path and headers of a request, together",
    )
    max_connections: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description="most open connections; above it, the connection that has waited longest for a request "
        "is closed for a new one",
    )
    header_seconds: float = Field(default=10.0, gt=0, description="longest arrival of a request's headers")
    body_seconds: float = Field(default=30.0, gt=0, description="longest arrival of a request's body")
    idle_connection_seconds: int = Field(
        default=75, ge=1, description="how long a connection stays open between two requests"
    )
    router_seconds: float = Field(
        default=10.0,
        gt=0,
        description="longest wait for one answer of the router, but for an admission, which has the time of "
        "its request; and at a drain for the leases that are given back",
    )
    unreachable_seconds: float = Field(
        default=10.0,
        ge=0,
        description="how long a request without text waits while no router can be reached, and how long it "
        "asks for another replica while none of those that the router names can be",
    )
    nearer_router_seconds: float = Field(
        default=0.002,
        gt=0,
        description="by how much shorter the way to a further router must be, at its shortest in half a "
        "minute, for it to be asked before those that stand in front of it; a minute keeps to the list",
    )
    first_text_seconds: float = Field(
        default=120.0,
        gt=0,
        description="longest wait from an admission to the first text of its answer; vectors, which come all "
        "at once, have the time of their request",
    )
    first_token_hedge_seconds: float = Field(
        default=30.0,
        ge=0,
        description="how long a request without a token waits before it leaves its replica for another one, "
        "if there is one and the router says that the first does not work; one that has not even accepted "
        "the request is left after 5 s at most. 0 leaves none",
    )
    request_seconds: float = Field(
        default=600.0, gt=0, description="longest time of one request, from received to the last byte"
    )
    ping_seconds: float = Field(
        default=10.0, gt=0, description="silence after which a stream gets a comment that keeps it open"
    )
    write_seconds: float = Field(
        default=60.0,
        gt=0,
        description="how long a client may take in nothing of an answer that waits for it",
    )
    drain_notice_seconds: float = Field(
        default=0.0,
        ge=0,
        description="time between SIGTERM and the closing of the listener, so that load balancers see "
        "`/readyz` fail first",
    )
    forwarding_proxies: int = Field(
        default=0,
        ge=0,
        le=8,
        description="proxies before the edge that each append the address of their caller to "
        "`x-forwarded-for`, so that wrong keys are counted by client; 0 takes the connection's address",
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(),
        max_length=256,
        description="origins whose pages may call the API from a browser, as the browser writes them "
        "(`https://chat.example.eu`); `*` is any. None may by default: a key in a page is everybody's",
    )
    drain_seconds: int = Field(default=30, ge=1, description="longest end of the answers that run at a drain")

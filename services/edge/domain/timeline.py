"""What the edge counts and times of one HTTP request."""

from dataclasses import dataclass, field
from enum import IntEnum

from services.kernel.errors import KEY_REFUSALS, Reason
from services.kernel.identity import Identity


class Endpoint(IntEnum):
    """A route, by the number of `comptoir.usage.v1.Endpoint`."""

    OTHER = 0
    CHAT_COMPLETIONS = 1
    MODELS = 2
    COMPLETIONS = 3
    EMBEDDINGS = 4
    RESPONSES = 5
    TOKENIZE = 6
    INPUT_TOKENS = 7


@dataclass(slots=True)
class EdgeRequest:
    """One HTTP request; moments are monotonic seconds, 0 where they did not come."""

    request_id: Identity
    started_at_microseconds: int
    received_seconds: float
    endpoint: Endpoint = Endpoint.OTHER
    # As the client wrote it; what measures it knows a few.
    http_method: str = field(default="", repr=False)
    reason: Reason = Reason.UNSPECIFIED
    tenant_number: int = 0
    key_number: int = 0
    model_number: int = 0
    # The tenant's; 0 where the router did not say whose request it is.
    home_region: int = 0
    # By which the region of the last ticket serves the request; 0 within the EU.
    transfer_record: int = 0
    http_status: int = 0
    is_streamed: bool = False
    is_client_cancelled: bool = False
    request_bytes: int = 0
    response_bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    client_retry_count: int = 0
    # Tickets that the edge used, of several prompts for the one with the most; more than one, and the client
    # need not try again at once.
    attempts: int = 0
    admitted_seconds: float = 0.0
    first_text_seconds: float = 0.0
    ended_seconds: float = 0.0
    # The identity that the client gave the request, for its own logs and ours; no event holds it.
    client_request_id: Identity | None = None
    # Stands for the client's address before the router; no event and no log holds it.
    source: int = field(default=0, repr=False)

    @property
    def is_counted(self) -> bool:
        """Tells whether it was refused for its key, and is counted with those that are like it."""
        return self.reason in KEY_REFUSALS

    @property
    def group(self) -> tuple[int, ...]:
        """Returns what requests have in common that are counted together."""
        return (self.endpoint, self.reason, self.http_status, self.is_client_cancelled)

    def microseconds_to(self, moment_seconds: float) -> int:
        """Returns the time from received to `moment_seconds`, in microseconds; 0 where that did not come."""
        return max(0, round((moment_seconds - self.received_seconds) * 1_000_000)) if moment_seconds else 0

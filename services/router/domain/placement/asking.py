"""What a policy is told of the request that it places, and nothing of what the request says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.router.domain.lease import Process
from services.router.domain.placement.kinds import NO_KINDS, Kinds

# Of most tokenizers and languages, roughly: it is the same mistake for every replica.
_BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """The bounds of a request, and when it is placed.

    `tokens` is the most that it may use, `input_tokens` what its prompt is expected to have, `after` the
    replica chosen last for the model; a load older than `stale_after_seconds` says nothing any more. One
    of the class batch goes to the cheapest GPU class, and to a dearer one only where it `may_spill`.
    `cached_tokens` are those of the prompt that processes may have in their cache; `prefix` stands
    for its beginning, 0 for none, and what is cached outweighs `affinity_seconds` of work at most.
    `needs` is what its replica's engine has to have, a sum of EngineFeature.
    `expected_tokens` are all that it is expected to use, 0 if nothing is, and `output_tokens` those of each
    answer. One that `waits_for_room` goes to no replica without free blocks for them, and leaves
    `kept_blocks` of replicas to another one. `tenant` is whose request it is. Replicas of the `barred` kinds
    are for those who wait already.
    """

    tokens: int
    input_tokens: int
    after: int
    now_seconds: float
    stale_after_seconds: float
    choices: int = 1
    is_batch: bool = False
    may_spill: bool = True
    cached_tokens: Mapping[Process, int] = field(default_factory=dict)
    prefix: int = field(default=0, repr=False)
    affinity_seconds: float = 0.0
    needs: int = 0
    expected_tokens: int = 0
    output_tokens: int = 0
    waits_for_room: bool = False
    kept_blocks: Mapping[int, int] = field(default_factory=dict)
    tenant: int = 0
    barred: Kinds = NO_KINDS

    @property
    def kv_tokens(self) -> int:
        """Returns how many tokens its KV blocks are predicted by."""
        return min(self.tokens, self.expected_tokens or self.tokens)

    def cached_at(self, process: Process) -> int:
        """Returns how many tokens of the prompt a process is expected to have; never all of them."""
        return max(0, min(self.cached_tokens.get(process, 0), self.input_tokens - 1))


def expected_input_tokens(upper_bound: int) -> int:
    """Returns how many tokens a prompt is expected to have whose bound, in bytes, is known."""
    return -(-upper_bound // _BYTES_PER_TOKEN)

"""The functions of leases on a clock that stands still until it is set, in place of the server's."""

import re
from typing import Final

from redis.asyncio import Redis

from services.router.adapters.lease_calls import FUNCTIONS

MILLISECONDS: Final = "milliseconds"
_BEGIN: Final = 1_790_000_000_000
_CLOCK: Final = f"""local function now()
  return {_BEGIN} + tonumber(redis.call('GET', '{MILLISECONDS}') or 0)
end
"""

FUNCTIONS_OF_SET_TIME: Final = re.sub(
    r"local function now\(\)\n.*?\nend\n", lambda _: _CLOCK, FUNCTIONS, count=1, flags=re.DOTALL
)
assert FUNCTIONS_OF_SET_TIME != FUNCTIONS


async def advance(client: Redis, seconds: float) -> None:
    await client.incrby(MILLISECONDS, round(seconds * 1000))

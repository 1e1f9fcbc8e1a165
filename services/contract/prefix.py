"""How long the beginnings of a prompt are that digests stand for, which callers make and routers compare."""

from typing import Final

# In bytes, closer together where most prompts end. What lies behind the last is never looked at.
PREFIX_ENDS_BYTES: Final = tuple(
    512 * halves for halves in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128)
)

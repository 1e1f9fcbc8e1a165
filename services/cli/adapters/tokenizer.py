"""Counts tokens as a `tokenizer.json` does."""

from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.bench.errors import BenchError

if TYPE_CHECKING:
    # With sentences of a folder that not every installation has.
    from services.cli.bench.prompts import CountTokens


def counting_by(path: Path) -> "CountTokens":
    """Returns what counts as a `tokenizer.json` does; BenchError where there is none, or no library."""
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - of another distribution, which only this needs
    except ImportError:
        raise BenchError("--tokenizer needs the package tokenizers: `pip install tokenizers`.") from None
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - the library raises nothing more precise
        raise BenchError(f"{file} is no tokenizer.json that can be read.") from None

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count

"""Tables and documents of `comptoir languages`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from services.cli.languages.answers import Answered
from services.cli.languages.costs import PAGE_CHARACTERS, Counted


def costs_table(model: str, rows: Sequence[Counted], price_per_million: float | None) -> Table:
    """Returns a row for each language, dearest last; the page's cost where there is a price."""
    table = Table(title=f"One text in {len(rows)} languages, {model}")
    table.add_column("Language")
    # A terminal of 80 columns has room for all of them.
    for name in ("Tokens", "a character", "a word", "English=1", "a page"):
        table.add_column(name, justify="right")
    if price_per_million is not None:
        table.add_column("costs", justify="right")
    for row in sorted(rows, key=lambda one: one.tokens):
        cells = [
            row.language.name,
            f"{row.tokens:,}",
            f"{row.tokens_per_character:.3f}",
            f"{row.tokens_per_word:.2f}",
            _beside_english(row, rows),
            f"{row.page_tokens:,.0f}",
        ]
        if price_per_million is not None:
            cells.append(f"{row.page_cost(price_per_million):.6f}")
        table.add_row(*cells)
    table.caption = f"A page has {PAGE_CHARACTERS:,} characters; the text says the same in each language."
    return table


def answers_table(model: str, rows: Sequence[Answered]) -> Table:
    """Returns a row for each language that was asked for."""
    table = Table(title=f"Answers in the language of the system prompt, {model}")
    table.add_column("Asked for")
    table.add_column("Answered in it", justify="right")
    table.add_column("In others")
    for row in rows:
        others = [code or "?" for code in row.detected if code != row.language.code]
        table.add_row(row.language.name, f"{row.right} of {len(row.detected)}", ", ".join(others) or "-")
    return table


def document(
    model: str, costs: Sequence[Counted], answers: Sequence[Answered], price_per_million: float | None
) -> Mapping[str, Any]:
    """Returns the same for programs."""
    return {
        "model": model,
        "page_characters": PAGE_CHARACTERS,
        "price_per_million_input_tokens": price_per_million,
        "languages": [_cost(row, price_per_million) for row in costs],
        "answers": [
            {"language": row.language.code, "right": row.right, "detected": list(row.detected)}
            for row in answers
        ],
    }


def _cost(row: Counted, price_per_million: float | None) -> Mapping[str, Any]:
    return {
        "language": row.language.code,
        "characters": row.characters,
        "words": row.words,
        "tokens": row.tokens,
        "tokens_per_character": round(row.tokens_per_character, 4),
        "tokens_per_word": round(row.tokens_per_word, 4),
        "page_tokens": round(row.page_tokens, 1),
        "page_cost": None if price_per_million is None else round(row.page_cost(price_per_million), 9),
    }


def _beside_english(row: Counted, rows: Sequence[Counted]) -> str:
    english = next((one for one in rows if one.language.code == "en"), None)
    return "-" if english is None else f"{row.beside(english):.2f}"

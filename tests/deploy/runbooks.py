"""The commands of the pages in docs/runbooks that ask Prometheus or the store."""

import re
from collections.abc import Iterable
from pathlib import Path

_QUERY = re.compile(r"^promtool query instant http://127\.0\.0\.1:9090 '(.*)'$", re.MULTILINE)
_STATEMENT = re.compile(
    r"^curl 'http://127\.0\.0\.1:8404/\?database=comptoir' -d \"(.*) FORMAT PrettyCompact\"$", re.MULTILINE
)


def commands_of(pages: Iterable[Path]) -> tuple[list[str], list[str]]:
    """The queries of Prometheus, and the statements of the store."""
    texts = [page.read_text() for page in pages]
    queries = [query for text in texts for query in _QUERY.findall(text)]
    return queries, [statement for text in texts for statement in _STATEMENT.findall(text)]

"""The last screen of a start: what to call, with which key, and what to type next; 80 columns, 24 lines."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.options import DEFAULT_DATA_DIR

_WIDTH: Final = 46
_NEXT: Final = (
    ('chat "Écris un compte rendu."', "one answer"),
    ("status", "what runs, and how far behind"),
    ("doctor", "what is wrong, and what to do"),
    ("console", "a link to the page of all that"),
    ("report latency", "TTFT and tokens per second"),
    ("keys create --tenant local", "another key"),
    ("logs edge --follow", "a line per request"),
)
_CURL: Final = """\
curl {base_url}/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Salut"}}]}}'"""


def ready_screen(
    state: dict[str, Any],
    api_key: str | None,
    how_to_stop: str,
    elapsed_seconds: float,
    console_link: str = "",
) -> str:
    """Returns the text; `api_key` is the fresh key, or None where the data folder had one."""
    key_file = _near(Path(str(state["data_dir"])) / "secrets" / "local-api-key")
    command, where = command_prefix(), _where(Path(str(state["data_dir"])))
    rows = [(f"{command} {words}{where}", meaning) for words, meaning in _NEXT]
    return "\n".join(
        [
            f"Ready after {elapsed_seconds:.1f} s.",
            "",
            f"  Base URL  {state['base_url']}",
            f"  API key   {api_key or f'in {key_file}'}" + ("  (shown once)" if api_key else ""),
            f"  Model     {state['model']}",
            f"  Store     {state['clickhouse_url']}/?database=comptoir",
            *([f"  Console   {console_link}"] if console_link else []),
            "",
            "Next, in another terminal:",
            *(f"  {row:<{_WIDTH}}  {meaning}" for row, meaning in rows),
            "",
            _CURL.format(**state, key=api_key or f"$(cat '{key_file}')"),
            "",
            f"To stop: {how_to_stop}",
        ]
    )


def command_prefix() -> str:
    """Returns how this very command is typed here: by its name where the shell finds it, else by its path."""
    own = Path(sys.executable).with_name("comptoir")
    found = shutil.which("comptoir")
    return "comptoir" if found and Path(found).resolve() == own.resolve() else str(_near(own))


def _where(data_dir: Path) -> str:
    return "" if data_dir == DEFAULT_DATA_DIR.resolve() else f" --data-dir {_near(data_dir)}"


def _near(path: Path) -> Path:
    """Returns the shorter of the path and the way to it from here."""
    relative = os.path.relpath(path)
    return Path(relative) if len(relative) < len(str(path)) else path

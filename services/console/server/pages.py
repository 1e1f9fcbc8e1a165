"""Templates and files of the page: read once, at the start, and never by a name that a browser gives."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.console.domain import words
from services.console.server.views import View
from services.kernel.catalog import Catalog, Task

_FOLDER: Final = Path(__file__).resolve().parents[1] / "page"
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
PARTS: Final = (
    "verdict",
    "tiles",
    "health",
    "replicas",
    "capacity",
    "latency",
    "load",
    "tenants",
    "completeness",
)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the page."""

    body: bytes
    content_type: str
    digest: str


class Pages:
    """Writes the page and its parts; whatever comes from a catalog or a tenant is written as text."""

    def __init__(self, catalog: Catalog, region: str) -> None:
        self.files = {
            path.name: _static(path) for path in (_FOLDER / "static").iterdir() if path.suffix in _TYPES
        }
        self._models = [model.name for model in catalog.models if model.task is Task.GENERATE]
        self._has_prices = any(model.price is not None for model in catalog.models)
        self._region = region
        templates = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        named = ("whole", "short", "seconds", "rate", "percent", "duration", "money", "moment", "date")
        templates.filters.update({name: getattr(words, name) for name in named})
        templates.globals["file"] = lambda name: f"/static/{name}?{self.files[name].digest}"
        self._parts = {name: templates.get_template(f"parts/{name}.html") for name in PARTS}
        self._page = templates.get_template("console.html")
        self._sign_in = templates.get_template("sign_in.html")

    def page(self, view: View, *, can_sign_out: bool) -> str:
        """Returns the whole page."""
        parts = self.parts(view)
        charts = {name: chart.as_json() for name, chart in view.charts.items()}
        return self._page.render(
            parts=parts,
            charts=charts,
            models=self._models,
            region=self._region,
            span=view.span,
            spans=list(type(view.span)),
            can_sign_out=can_sign_out,
        )

    def parts(self, view: View) -> dict[str, str]:
        """Returns what changes of the page, by its place."""
        context: dict[str, Any] = {
            "view": view,
            "charts": view.charts,
            "has_prices": self._has_prices,
        }
        return {name: template.render(context) for name, template in self._parts.items()}

    def sign_in(self) -> str:
        """Returns the page for those who have not signed in."""
        return self._sign_in.render(region=self._region)


def _static(path: Path) -> StaticFile:
    body = path.read_bytes()
    return StaticFile(body, _TYPES[path.suffix], sha256(body).hexdigest()[:16])

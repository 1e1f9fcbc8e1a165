"""The table of docs/models.md, from the one that `comptoir models available` lists."""

from collections.abc import Iterator

from deploy.local.models.known import KnownModel, known_models

_MILLION = 1_000_000


def known() -> Iterator[str]:
    """Yields each model with licence, size, languages, origin and source."""
    table = known_models()
    yield from ("", f"Read on {table.read_on}.", "")
    yield "| Name | Model | Licence | Parameters | Context | Languages | From | Source |"
    yield "|---|---|---|---|---|---|---|---|"
    for model in table.models:
        yield _row(model)
    yield ""


def _row(model: KnownModel) -> str:
    languages = ", ".join(model.languages)
    if model.further_languages:
        languages += f" and {model.further_languages} more"
    remark = f"; {model.remark}" if model.remark else ""
    return (
        f"| `{model.name}` | {model.title}, by {model.publisher}{remark} "
        f"| [{model.licence.name}]({model.licence.url}) | {model.parameters / _MILLION:,.0f} M "
        f"| {model.context_tokens:,} | {languages} | {_origin(model)} | {model.source} |"
    )


def _origin(model: KnownModel) -> str:
    package = model.origin.package
    if package is None:
        return f"`{model.origin.ships}`" if model.origin.ships else f"hub: `{model.origin.hub}`"
    folder = package.folder_bytes / _MILLION
    return (
        f"package `{package.name}` {package.version}: {package.download_bytes / _MILLION:,.0f} MB to fetch, "
        f"{folder:,.0f} MB converted"
    )

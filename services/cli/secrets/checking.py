"""Says which file of a folder of secrets is not what it has to be, and what to do; changes nothing."""

from collections.abc import Iterator
from typing import Final

from deploy.local.stack.errors import StackError
from services.cli.doctor.finding import Finding, fail
from services.cli.secrets import layout
from services.cli.secrets.certificate_checks import CertificateChecks
from services.cli.secrets.derived import SOURCES, derived
from services.cli.secrets.folder import Kind, SecretFiles, Seen
from services.cli.secrets.layout import Names
from services.cli.secrets.making import read_names

_FILES: Final = "files"
_SECRETS: Final = "secrets"
_BACKUP: Final = "put it back from your backup"
_ANEW: Final = "`comptoir secrets renew` writes it anew"
_NO_FILES: Final = {
    Kind.LINK: "It is a link, whose file a container does not see.",
    Kind.FOLDER: "It is a folder in a file's place.",
    Kind.OTHER: "It is no file.",
}
_EXECUTE_ALL: Final = 0o111
_READ_ALL: Final = 0o444
_OTHERS: Final = 0o077
_WRITTEN_BY_OTHERS: Final = 0o022


def findings(files: SecretFiles, now_seconds: float, below_seconds: float) -> Iterator[Finding]:
    """Yields what is wrong, without any content; FAIL is what has to be mended, WARN to be known."""
    if not files.root.is_dir() or files.look(layout.NAMES).kind is Kind.MISSING:
        step = "`comptoir secrets init` makes one; if there was one, put names.yaml back from your backup"
        yield fail(_FILES, layout.NAMES, "That is no folder of secrets.", step)
        return
    yield from _of_folders(files)
    seen = {name: files.look(name) for name in layout.every_file()}
    for name, file in seen.items():
        yield from _of_file(name, file)
    names = None
    if seen[layout.NAMES].content is not None:
        try:
            names = read_names(files)
        except StackError as error:
            said = str(error).removeprefix("names.yaml: ").removeprefix("names.yaml ")
            yield fail(
                _FILES, layout.NAMES, f"It breaks a rule: {said.rstrip('.')}.", f"correct it, or {_BACKUP}"
            )
    yield from _of_secrets(seen)
    yield from _of_certificates(seen, names, now_seconds, below_seconds)


def _of_certificates(
    seen: dict[str, Seen], names: Names | None, now_seconds: float, below_seconds: float
) -> Iterator[Finding]:
    contents = {name: file.content for name, file in seen.items() if file.content is not None}
    yield from CertificateChecks(contents, names, now_seconds, below_seconds).findings()


def _of_folders(files: SecretFiles) -> Iterator[Finding]:
    yield from _of_folder(".", files.mode(""), is_entered_by_others=False)
    for name in sorted({name.rpartition("/")[0] for name in layout.every_file()} - {""}):
        kind = files.kind(name)
        if kind is Kind.FOLDER:
            yield from _of_folder(name, files.mode(name), is_entered_by_others=name != layout.AUTHORITY)
        elif kind is not Kind.MISSING:
            step = "put the folder itself in its place"
            yield fail(_FILES, name, "It is no folder, or a link to one.", step)


def _of_folder(name: str, mode: int, *, is_entered_by_others: bool) -> Iterator[Finding]:
    if not is_entered_by_others:
        if mode & _OTHERS:
            step = "`chmod 700` it; if they may have read it, make new ones of what is in it"
            yield fail(_FILES, name, "Others may enter the folder.", step)
    elif mode & _WRITTEN_BY_OTHERS:
        yield fail(_FILES, name, "Others may put files into it.", "`chmod 755` it, and look at what is in it")
    elif mode & _EXECUTE_ALL != _EXECUTE_ALL:
        yield fail(_FILES, name, "A container's user cannot enter it.", "`chmod 755` it")


def _of_file(name: str, seen: Seen) -> Iterator[Finding]:
    if seen.kind is Kind.FILE:
        yield from _of_mode(name, seen.mode)
    elif seen.kind is Kind.UNREADABLE:
        step = "run this as the user whose folder it is"
        yield fail(_FILES, name, "It cannot be read by this user.", step)
    elif seen.kind is not Kind.MISSING:
        step = (
            "remove it, then `comptoir secrets init`" if name in _MADE_ANEW else f"remove it, and {_BACKUP}"
        )
        yield fail(_FILES, name, _NO_FILES[seen.kind], step)
    elif name not in layout.MAY_BE_AWAY:
        yield fail(_FILES, name, "It is missing.", _missing(name))


def _of_mode(name: str, mode: int) -> Iterator[Finding]:
    if name.startswith(f"{layout.AUTHORITY}/"):
        if mode & _OTHERS:
            step = "`chmod 600` it; if somebody may have read it: `comptoir secrets authority add`"
            yield fail(_FILES, name, "Others may read it.", step)
    elif mode & _WRITTEN_BY_OTHERS:
        yield fail(_FILES, name, "Others may write it.", "`chmod 444` it, and compare it with your backup")
    elif mode & _READ_ALL != _READ_ALL:
        yield fail(_FILES, name, "A container's user cannot read it.", "`chmod 444` it")


# What follows from other files, which no backup has to bring back.
_MADE_ANEW: Final = frozenset(
    {*SOURCES, *(name for name in layout.every_file() if name.endswith(("tls.crt", "/ca.crt", "tls.pem")))}
)


def _missing(name: str) -> str:
    if name in _MADE_ANEW:
        return "`comptoir secrets init` makes it"
    if name in layout.RANDOM:
        return f"{_BACKUP}; `comptoir secrets init` makes another secret, by which nothing of before opens"
    if name == layout.CA_CERTIFICATE:
        return f"{_BACKUP}; with authority/ca.key there, `comptoir secrets init` makes it"
    return f"{_BACKUP}, or have another one made by `comptoir secrets init`"


def _of_secrets(seen: dict[str, Seen]) -> Iterator[Finding]:
    good: dict[str, str] = {}
    for name in layout.RANDOM:
        content = seen[name].content
        if content is None:
            continue
        text = content.decode("ascii", "replace").strip()
        if not text:
            yield fail(_SECRETS, name, "It is empty.", _BACKUP)
        elif not layout.is_hex_secret(text):
            yield fail(_SECRETS, name, "It does not hold 32 bytes as hex.", _BACKUP)
        else:
            good[name] = text
    for name, source in SOURCES.items():
        content = seen[name].content
        if content is not None and source in good and content != derived(name, good[source]):
            step = f"{_ANEW}; restart who reads it"
            yield fail(_SECRETS, name, f"It is not what follows from {source}.", step)

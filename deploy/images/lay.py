"""Lays exactly the locked libraries into the image's environment, compiled: `python lay.py REQUIREMENTS`.

It runs in an image that has no shell, from a folder that is lent to it.
"""

import os
import sys
from pathlib import Path

TOOLS = Path("/build/tools/bin")
AUTHORITIES = Path("/authorities.pem")


def main() -> None:
    """Becomes uv."""
    variables = {**os.environ, "PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}  # noqa: TID251 - to hand it on
    if AUTHORITIES.exists():
        variables["SSL_CERT_FILE"] = str(AUTHORITIES)
    options = ("--quiet", "--require-hashes", "--compile-bytecode", "--link-mode=copy", "--cache-dir=/cache")
    target = ("--python=/opt/comptoir/bin/python", sys.argv[1])
    uv = str(TOOLS / "uv")
    os.execve(uv, (uv, "pip", "sync", *options, *target), variables)  # noqa: S606 - it is the last that this does


if __name__ == "__main__":
    main()

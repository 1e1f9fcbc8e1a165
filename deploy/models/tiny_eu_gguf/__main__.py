"""Writes a model folder as a GGUF file: `python -m deploy.models.tiny_eu_gguf FOLDER FILE`."""

import sys
from pathlib import Path

from deploy.models.tiny_eu_gguf.conversion import convert

if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

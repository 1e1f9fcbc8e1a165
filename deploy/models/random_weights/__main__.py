"""Writes a model folder: `python -m deploy.models.random_weights FOLDER`."""

import argparse
from pathlib import Path

from deploy.models.random_weights.writing import Shape, write_model

_DEFAULT = Shape()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder that is not there yet")
    parser.add_argument("--layers", type=int, default=_DEFAULT.layers)
    parser.add_argument("--hidden-size", type=int, default=_DEFAULT.hidden_size, help="a multiple of 128")
    parser.add_argument(
        "--context", type=int, default=_DEFAULT.context_tokens, help="longest context in tokens"
    )
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    shape = Shape(told.layers, told.hidden_size, told.context)
    parameters = write_model(told.folder, shape, told.seed)
    print(f"{told.folder}: {parameters / 1e6:.0f} million parameters in float16")

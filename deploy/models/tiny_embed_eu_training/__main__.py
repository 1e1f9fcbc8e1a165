"""Command line: makes the whole tiny-embed-eu model from the corpus and the tokenizer of tiny-eu."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from deploy.models.tiny_embed_eu_training.pairs import batches, pairs
from deploy.models.tiny_embed_eu_training.training import (
    CONTEXT,
    SIZES,
    hits,
    new_model,
    train,
    write_model,
)

_MODELS = Path(__file__).resolve().parent.parent
_TOKENIZER_FILES = ("tokenizer.json", "special_tokens_map.json")
_HELD_OUT = 500


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.models.tiny_embed_eu_training", description=__doc__
    )
    parser.add_argument("--output", type=Path, default=_MODELS / "tiny-embed-eu", help="folder of the model")
    parser.add_argument("--steps", type=int, default=250, help="steps to train for")
    parser.add_argument("--batch", type=int, default=48, help="pairs of a step")
    parser.add_argument("--seed", type=int, default=20, help="seed of pairs and weights")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--samples", type=int, default=10000, help="conversations to compose")
    parser.add_argument("--rate", type=float, default=0.003, help="highest learning rate")
    return parser.parse_args()


def main() -> None:
    """Compose the pairs, train the model, write all files."""
    options = _arguments()
    started = time.monotonic()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = Tokenizer.from_file(str(_MODELS / "tiny-eu" / "tokenizer.json"))
    model = new_model(tokenizer)
    print(f"{model.num_parameters():,} parameters", flush=True)
    found = pairs(options.seed, options.samples)
    train(model, tokenizer, batches(found, options.batch, options.seed), options.steps, options.rate)
    unseen = [pair for pair in pairs(options.seed + 1, 4 * _HELD_OUT) if pair not in found][:_HELD_OUT]
    for size in SIZES:
        print(f"{size} numbers: {hits(model, tokenizer, unseen, size):.0%} of new questions", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    for name in _TOKENIZER_FILES:
        (options.output / name).write_bytes((_MODELS / "tiny-eu" / name).read_bytes())
    _write_tokenizer_settings(options.output)
    write_model(model, options.output)
    print(f"written after {time.monotonic() - started:.0f} s", flush=True)


def _write_tokenizer_settings(folder: Path) -> None:
    """Write those of tiny-eu without its chat template: this model takes no chat."""
    name = "tokenizer_config.json"
    settings = json.loads((_MODELS / "tiny-eu" / name).read_text(encoding="utf-8"))
    del settings["chat_template"]
    text = json.dumps(settings | {"model_max_length": CONTEXT}, indent=2, ensure_ascii=False)
    (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

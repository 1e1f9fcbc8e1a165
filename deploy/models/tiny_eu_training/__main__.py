"""Command line: makes the whole tiny-eu model from the sentence grammars."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from deploy.models.tiny_eu_training.batches import Batches
from deploy.models.tiny_eu_training.corpus import conversations
from deploy.models.tiny_eu_training.training import CONTEXT, Budget, evaluate, new_model, train, write_model
from deploy.models.tiny_eu_training.vocabulary import encode, train_tokenizer, write_tokenizer

_OUTPUT = Path(__file__).resolve().parent.parent / "tiny-eu"
_TOKENIZER_SAMPLES = 8000
_HELD_OUT = 2000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.models.tiny_eu_training", description=__doc__)
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="folder of the model")
    parser.add_argument("--minutes", type=float, default=8.0, help="time to train for")
    parser.add_argument("--steps", type=int, default=0, help="train for so many steps instead")
    parser.add_argument("--seed", type=int, default=20, help="seed of corpus and weights")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--samples", type=int, default=70000, help="conversations to compose")
    parser.add_argument("--vocabulary", type=int, default=2048, help="number of tokens")
    parser.add_argument("--rate", type=float, default=0.005, help="highest learning rate")
    return parser.parse_args()


def main() -> None:
    """Compose the corpus, train the tokenizer and the model, write all files."""
    options = _arguments()
    started = time.monotonic()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    samples = list(conversations(options.seed, options.samples))
    texts = (turn.text for sample in samples[:_TOKENIZER_SAMPLES] for turn in sample.turns)
    tokenizer = train_tokenizer(texts, options.vocabulary)
    batches = Batches((encode(tokenizer, sample) for sample in samples), options.seed)
    print(f"corpus and tokenizer ready after {time.monotonic() - started:.0f} s", flush=True)
    model = new_model(tokenizer)
    print(f"{model.num_parameters():,} parameters", flush=True)
    steps = train(model, batches, Budget(options.steps, options.minutes), options.rate)
    unseen = conversations(options.seed + 1, _HELD_OUT)
    held_out = Batches((encode(tokenizer, sample) for sample in unseen), options.seed)
    print(f"{steps} steps, loss on new samples {evaluate(model, held_out):.3f}", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(tokenizer, options.output, CONTEXT)
    write_model(model, options.output)
    print(f"written after {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

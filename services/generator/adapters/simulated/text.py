"""The simulated engine's words: a tokenizer of bytes, a chat template, and answers that repeat themselves."""

import codecs
import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.generator.domain.delta import TokenChoice, TokenLogprob
from services.generator.domain.prompt import Chat, Role, Text
from services.generator.domain.sampling import Sampling
from services.kernel.steps import Steps, finished

# Ids from 256 on are control tokens; no text can spell them, since text is bytes.
END_OF_TURN: Final = 256
# About a millisecond.
IDS_PER_STEP: Final = 16 * 1024
_SPACE: Final = 32
_CHOSEN_ALONE: Final = 100
VOCABULARY_TOKENS: Final = 260
# What a tool says is said to the model, as what a user says.
_ROLE_IDS: Final = {Role.SYSTEM: 257, Role.USER: 258, Role.ASSISTANT: 259, Role.TOOL: 258}

# An argument of the chat template, as tiny-eu has it: the prompt opens what is thought.
THINKING: Final = "enable_thinking"
_BEGIN_OF_THOUGHT: Final = b"<think>\n"
_END_OF_THOUGHT: Final = b"\n</think>\n\n"

_SENTENCES: Final = (
    "Le comptoir ouvre à neuf heures et l'équipe a déjà tout préparé. ",
    "Die Straße war ruhig, und über dem Fluss ging langsam die Sonne auf. ",
    "La reunión empezó tarde, pero mañana habrá más tiempo para todos. ",
    "Il caffè è pronto: perché non ci sediamo un momento? ",
    "De trein naar het noorden vertrekt om kwart over zes, geloof ik. ",
    "The report counts every token and keeps none of the words. ",
)


def tokenize(prompt: Chat | Text) -> list[int]:
    """Returns what `token_steps` does, at once."""
    return finished(token_steps(prompt))


def token_steps(prompt: Chat | Text) -> Steps[list[int]]:
    """Returns role, bytes, end of turn for each turn, then the assistant's role; bytes alone of a text.

    Where the template is told to, what is thought begins behind that role.
    """
    ids: list[int] = []
    if isinstance(prompt, Text):
        yield from _byte_steps(ids, prompt.text)
        return ids
    for turn in prompt.turns:
        ids.append(_ROLE_IDS[turn.role])
        yield from _byte_steps(ids, "\n".join(turn.texts))
        ids.append(END_OF_TURN)
    ids.append(_ROLE_IDS[Role.ASSISTANT])
    if prompt.options.arguments.get(THINKING):
        ids.extend(_BEGIN_OF_THOUGHT)
    return ids


def _byte_steps(ids: list[int], text: str) -> Steps[None]:
    content = text.encode()
    for start in range(0, len(content), IDS_PER_STEP):
        if start:
            yield
        ids.extend(content[start : start + IDS_PER_STEP])


def detokenize(ids: Sequence[int], *, spells_controls: bool = False) -> str:
    """Returns the text of token ids, in which control tokens have none or their numbers."""
    if spells_controls:
        pieces = (bytes((one,)) if one < END_OF_TURN else b"<|%d|>" % one for one in ids)
        return b"".join(pieces).decode(errors="replace")
    return bytes(token_id for token_id in ids if token_id < END_OF_TURN).decode(errors="replace")


def digest_steps(input_ids: Sequence[int]) -> Steps[Any]:
    """Returns, in steps, the hash of a prompt, which a seed is added to."""
    digest = hashlib.sha256()
    for start in range(0, len(input_ids), IDS_PER_STEP):
        if start:
            yield
        digest.update(repr(tuple(input_ids[start : start + IDS_PER_STEP])).encode())
    return digest


def answer_ids(
    input_ids: Sequence[int], prompt: Any, seed: int | None, answer_tokens: int, sampling: Sampling
) -> Iterator[int]:
    """Returns the token ids of the answer, without an end; the same prompt and seed always get the same.

    `prompt` is the hash of `input_ids`. The model would end it with each `answer_tokens`th, which is the end
    of the turn.
    """
    seeded = prompt.copy()
    seeded.update(repr(seed).encode())
    digest = seeded.digest()
    sentences = (_SENTENCES[byte % len(_SENTENCES)].encode() for byte in itertools.cycle(digest))
    if tuple(input_ids[-len(_BEGIN_OF_THOUGHT) :]) == tuple(_BEGIN_OF_THOUGHT):
        yield from next(sentences)[: sampling.thinking_token_budget]
        yield from _END_OF_THOUGHT
    for position, byte in enumerate(itertools.chain.from_iterable(sentences), 1):
        is_end = position % answer_tokens == 0 and position > sampling.min_tokens
        yield _biased(END_OF_TURN if is_end else byte, sampling.logit_bias)


def _biased(token_id: int, logit_bias: Mapping[int, float]) -> int:
    """Returns the token that a bias leaves: one of 100 alone, and a space in place of one of -100."""
    likeliest = max(logit_bias, key=lambda biased: logit_bias[biased], default=token_id)
    if logit_bias.get(likeliest, 0) >= _CHOSEN_ALONE:
        return likeliest
    return _SPACE if logit_bias.get(token_id, 0) <= -_CHOSEN_ALONE else token_id


def token_choice(token_id: int, likeliest: int) -> TokenChoice:
    """Returns a token as one of probability a half, before others that are half as likely one by one."""
    ids = (token_id, *(other for other in range(likeliest) if other != token_id))[:likeliest]
    tokens = tuple(_token(other, -math.log(2) * rank) for rank, other in enumerate(ids, 1))
    return TokenChoice(_token(token_id, -math.log(2)), tokens)


def _token(token_id: int, logprob: float) -> TokenLogprob:
    return TokenLogprob(bytes((token_id,)) if token_id < END_OF_TURN else b"", token_id, logprob)


class TextStream:
    """Turns token ids into text that is safe to send: whole characters, and nothing of a stop string."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held_characters = max((len(string) for string in stop), default=1) - 1
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._held = ""
        self.is_stopped = False

    def push(self, token_id: int, *, is_last: bool) -> str:
        """Returns the text that became safe with this token."""
        byte = b"" if token_id >= END_OF_TURN else bytes((token_id,))
        self._held += self._decoder.decode(byte)
        found = [place for string in self._stop if (place := self._held.find(string)) >= 0]
        if found:
            self.is_stopped = True
            self._held, safe = "", self._held[: min(found)]
            return safe
        cut = len(self._held) if is_last else max(0, len(self._held) - self._held_characters)
        safe, self._held = self._held[:cut], self._held[cut:]
        return safe

"""A chat on a terminal: questions, answers as they are generated, and a few commands; nothing on disk."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.console import Console

from services.cli.answering import Answer, Ask, said_of, stream_answer
from services.cli.conversation import (
    COMMANDS,
    NOT_WRITABLE,
    Command,
    Conversation,
    asked_by,
    is_writable,
    shown,
)

if TYPE_CHECKING:
    from openai import OpenAI

_PROMPT: Final = "> "
_NO_CHARACTER: Final = "\udcff"


class ChatScreen:
    """Reads lines until Ctrl-D; Ctrl-C stops an answer, or drops the line that is typed."""

    def __init__(self, client: "OpenAI", ask: Ask) -> None:
        self._client = client
        self._ask = ask
        self._conversation = Conversation()
        self._console = Console(highlight=False, soft_wrap=True)

    def run(self) -> None:
        """Talks until the person ends it."""
        # Only by its import does input() edit lines and find earlier ones; nothing writes those down.
        import readline  # noqa: F401, PLC0415

        self._note(f"{self._ask.model}. /help says what can be typed; Ctrl-D ends.")
        is_on = True
        while is_on:
            try:
                is_on = self._take_line()
            except KeyboardInterrupt:
                # At the prompt, or in the instant behind an answer.
                self._console.out("")

    def _take_line(self) -> bool:
        """Does what one line asks for; False where it ends the chat."""
        line = self._line()
        if line is None:
            return False
        asked = asked_by(line)
        if isinstance(asked, Command):
            if asked.name == "/quit":
                return False
            self._obey(asked)
        elif asked is not None:
            self._answer(asked.text)
        return True

    def _line(self) -> str | None:
        """Returns what was typed, nothing where it is of no use, and None at the end."""
        try:
            line = input(_PROMPT)
        except EOFError:
            self._console.out("")
            return None
        except UnicodeDecodeError:
            line = _NO_CHARACTER
        if not is_writable(line):
            self._note(NOT_WRITABLE)
            return ""
        return line

    def _answer(self, question: str) -> None:
        import openai  # noqa: PLC0415 - takes a second, which no other command needs

        answer, problem = Answer(), ""
        turns = self._conversation.with_question(question)
        try:
            stream_answer(self._client, self._ask, turns, answer, _write)
        except KeyboardInterrupt:
            problem = "Stopped; what came of the answer is remembered." if answer.text else "Stopped."
        except openai.APIError as error:
            problem = f"{said_of(error, str(self._client.base_url).rstrip('/'))}"
        if answer.text or not problem:
            self._console.out("")
        self._conversation.remember(question, answer.text)
        self._note(problem or answer.cost)

    def _obey(self, command: Command) -> None:
        if command.name == "/help":
            for name, meaning in COMMANDS.items():
                self._note(f"{name:<8}{meaning}")
            self._note("Ctrl-C  stop the answer; Ctrl-D ends. Turns are in memory alone, and end with this.")
        elif command.name == "/clear":
            count = self._conversation.questions
            self._conversation.clear()
            self._note(f"Forgot {count} question{'' if count == 1 else 's'} and what was answered.")
        elif command.name == "/model":
            self._change_model(command.argument)
        else:
            known = ", ".join(COMMANDS)
            self._note(f"There is no such command; there is {known}. A space before / makes it a question.")

    def _change_model(self, name: str) -> None:
        """Asks another model from now on, if the endpoint has it; without a name, says which there are."""
        import openai  # noqa: PLC0415 - takes a second, which no other command needs

        try:
            if name:
                self._client.models.retrieve(name)
                self._ask = replace(self._ask, model=name)
                self._note(f"{name} answers from now on; it is told what was said so far.")
                return
            self._note(f"{self._ask.model} answers; there is {self._models()}.")
        except openai.NotFoundError:
            self._note(f"There is no such model here; {self._ask.model} still answers. /model lists them.")
        except openai.APIError as error:
            self._note(str(said_of(error, str(self._client.base_url).rstrip("/"))))
        except KeyboardInterrupt:
            self._note(f"Stopped; {self._ask.model} still answers.")

    def _models(self) -> str:
        return ", ".join(sorted(shown(model.id) for model in self._client.models.list()))

    def _note(self, sentence: str) -> None:
        if sentence:
            self._console.print(shown(sentence), style="dim", markup=False)


def _write(piece: str) -> None:
    sys.stdout.write(shown(piece))
    sys.stdout.flush()

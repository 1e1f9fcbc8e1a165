"""The quick start that hosting guides print for Python; address and key come from OPENAI_… variables."""

from openai import OpenAI

client = OpenAI()

with client.chat.completions.stream(
    model="f3-7b-instruct",
    messages=[{"role": "user", "content": "Bonjour, qui es-tu ?"}],
) as stream:
    for event in stream:
        if event.type == "content.delta":
            print(event.delta, end="", flush=True)  # noqa: T201 - as it is printed

"""Streams one answer by OpenAI's SDK, a line for each chunk: run in the network of the containers."""

import json
import sys

import openai

base_url, api_key, authority, tokens = sys.argv[1:]
client = openai.OpenAI(
    base_url=base_url, api_key=api_key, max_retries=0, http_client=openai.DefaultHttpxClient(verify=authority)
)
stream = client.chat.completions.create(
    model="tiny-eu",
    messages=[{"role": "user", "content": "Bonjour"}],
    max_tokens=int(tokens),
    stream=True,
    stream_options={"include_usage": True},
    extra_body={"ignore_eos": True},
)
for chunk in stream:
    choice = chunk.choices[0] if chunk.choices else None
    print(
        json.dumps(
            {
                "has_text": bool(choice and choice.delta.content),
                "finish_reason": choice.finish_reason if choice else None,
                "output_tokens": chunk.usage.completion_tokens if chunk.usage else None,
            }
        ),
        flush=True,
    )
client.close()

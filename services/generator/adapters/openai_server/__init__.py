"""An engine in a server of its own, asked over HTTP as OpenAI's completions are."""

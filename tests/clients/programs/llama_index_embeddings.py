"""Vectors with LlamaIndex, of texts and of a question; address and key: OPENAI_… variables.

Usage: llama_index_embeddings.py MODEL.
"""

import json
import os
import sys

from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

TEXTS = ["Où est la gare ?", "The bread is fresh."]
address, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
like = OpenAILikeEmbedding(model_name=sys.argv[1], api_base=address, api_key=key)
# OpenAI's own class takes the name of another's model apart from its own.
openai = OpenAIEmbedding(model_name=sys.argv[1], api_base=address, api_key=key)

texts, question = like.get_text_embedding_batch(TEXTS), openai.get_query_embedding(TEXTS[0])
print(json.dumps({"texts": texts, "question": question}))

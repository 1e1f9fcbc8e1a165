"""Vectors with LangChain, of texts and of a question; address and key: OPENAI_… variables.

Usage: langchain_embeddings.py MODEL.
"""

import json
import sys

from langchain_openai import OpenAIEmbeddings

TEXTS = ["Où est la gare ?", "The bread is fresh."]
# By its default it sends ids of OpenAI's own vocabulary.
model = OpenAIEmbeddings(model=sys.argv[1], check_embedding_ctx_length=False)

print(json.dumps({"texts": model.embed_documents(TEXTS), "question": model.embed_query(TEXTS[0])}))

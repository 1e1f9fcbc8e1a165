"""The script that made tiny-embed-eu from the corpus and the tokenizer of tiny-eu."""

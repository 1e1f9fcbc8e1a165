"""Corpus, tokenizer and training of the tiny-eu test model."""

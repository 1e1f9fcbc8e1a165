"""Prompts become token ids, and token ids text, by a model's tokenizer; shared by engines that take ids."""

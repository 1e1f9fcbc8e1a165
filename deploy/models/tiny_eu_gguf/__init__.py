"""`tiny-eu` as llama.cpp reads it."""

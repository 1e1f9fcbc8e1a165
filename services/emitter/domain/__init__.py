"""What the emitter decides: validation, pseudonyms, frames."""

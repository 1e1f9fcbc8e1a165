"""Transfer records on disk: signed envelopes in a folder, verified with public keys and followed."""

"""Every metric of every process, declared once; `docs/metrics.md` follows from it."""

"""The images: one Dockerfile, and what builds them."""

"""Blocks, embeddings and the sequence models made of mixers."""

"""Decoders of the GPT-2 family on the numeric contract: GPT-2, image-GPT, and the two decoders of bGPT."""

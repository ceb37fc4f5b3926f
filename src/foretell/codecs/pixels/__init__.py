"""Pictures through a large model, patch by patch: colours of image-GPT, or samples as tokens of a language model."""

"""The transformers library's models, as they are or by steps that were shown to equal them."""

"""Completion: one token at a time, many prompts, many models at once."""

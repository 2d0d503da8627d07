"""The Pre-training tab: a text, a size, a run."""

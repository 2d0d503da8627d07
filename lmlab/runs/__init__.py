"""Runs of training on disk: what was asked, what happened, what was learned. Knows no torch."""

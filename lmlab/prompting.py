"""Prompt design as the page asks for it."""

"""The Change tab."""

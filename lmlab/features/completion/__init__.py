"""The Completion tab."""

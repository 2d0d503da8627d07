"""How the embedded suite is made: one command for each stage from the corpus to the report."""

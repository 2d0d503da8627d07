"""How good a prompt design is, asked of a model on a labelled set."""

"""How likely a model finds a text: one text, many, two models compared."""

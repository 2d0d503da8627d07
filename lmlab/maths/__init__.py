"""Pure mathematics over logits, matrices and plain lists. Knows no models and no text."""

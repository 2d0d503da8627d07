"""How large a decoder is, from its shape alone."""

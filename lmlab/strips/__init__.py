"""The token strip: a text with every token coloured, for the page and for a file."""

"""Training text looked at as a data engineer would: mixtures, duplicates, privacy, quality."""

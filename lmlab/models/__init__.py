"""Which model is meant, and how it gets here: names, the Hub, folders, the store."""

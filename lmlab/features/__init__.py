"""One folder a tab: what it asks of models, its page, its drawings, its command, its receipt."""

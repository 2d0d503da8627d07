"""What features draw with: the strip, tables, charts, forms, receipts. Never runs a model."""

"""Results as figures, tables and data for the page. Never sees a model."""

"""What makes documents, pictures and audits; not shipped."""

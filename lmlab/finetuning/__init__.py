"""Fine-tuning: full, selective, LoRA and prompt tuning, as one iterator of typed events.

``config`` and ``events`` know no torch; ``training`` runs the steps; nothing here knows the page.
"""

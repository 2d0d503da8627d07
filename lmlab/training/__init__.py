"""Training as one iterator of typed events: full, selective, LoRA, prompt tuning, or from nothing.

``config`` and ``events`` know no torch; ``finetune`` and ``pretrain`` run the steps; nothing here
knows the page.
"""

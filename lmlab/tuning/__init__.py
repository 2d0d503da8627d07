"""Fine-tuning as a service: runs in processes of their own, queued, owned, within limits."""

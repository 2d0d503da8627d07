"""One language model that can be asked: tokens, heads, adapters, lean steps, caches."""

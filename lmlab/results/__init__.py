"""What the core gives back: frozen values of plain Python. No torch, no models, no page."""

"""What runs models: one module, or folder, a backend."""

"""The Scale tab."""

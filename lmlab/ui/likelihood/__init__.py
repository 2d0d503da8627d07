"""The Likelihood tab."""

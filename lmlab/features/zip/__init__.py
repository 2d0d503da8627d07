"""The Zip tab."""

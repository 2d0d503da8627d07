"""Lecture scenes: declarative files that say what to set, run and look at. No page, no models."""

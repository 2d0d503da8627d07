"""Prompts and answers as text: the lecture's F and G, rows chosen, answers read."""

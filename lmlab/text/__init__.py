"""Tables and sets, templates (the lecture's F and G), rows chosen, answers read."""

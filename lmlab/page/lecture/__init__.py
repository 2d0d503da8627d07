"""Lecture mode, links that restore a tab, scenes of one's own: what reaches across the tabs."""

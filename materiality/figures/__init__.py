"""Figures of an assessment. Each function takes the assessment and returns a matplotlib figure; none writes files."""

from materiality.figures.canvas import house_style, shorten
from materiality.figures.clusters import METHOD_WORDS, draw_clusters
from materiality.figures.matrix import draw_matrix

__all__ = ["METHOD_WORDS", "draw_clusters", "draw_matrix", "house_style", "shorten"]

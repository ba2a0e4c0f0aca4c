"""Electroluminescence: from a raw photograph to every crack in every cell."""

from grading.el.overlay import draw_overlay
from grading.el.pipeline import analyse

__all__ = ["analyse", "draw_overlay"]

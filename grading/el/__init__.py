"""Electroluminescence: from a raw photograph to every crack in every cell."""

from grading.el.analyse import analyse
from grading.el.overlay import draw_overlay

__all__ = ["analyse", "draw_overlay"]

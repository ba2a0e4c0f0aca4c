"""Electroluminescence: from a raw photograph to every crack in every cell."""

from grading.el.overlay import draw_overlay
from grading.el.pipeline import analyse
from grading.el.voltage import CellVoltages, cell_voltages

__all__ = ["CellVoltages", "analyse", "cell_voltages", "draw_overlay"]

"""Procedural EL pictures of solar cells with known truth, from physics and published pictures.

    style = draw_style(rng)                 # what the cells of one module share
    spec = draw_cell(rng, style)            # one cell: its wafer, its defects
    cell = render_cell(spec, style, side=160)   # picture, label mask, truth

Every function is pure: the same arguments give the same picture.
"""

from simulators.el_render.cell import RenderedCell, render_cell
from simulators.el_render.draw import draw_cell, draw_style
from simulators.el_render.spec import CellSpec, ModuleStyle

__all__ = ["CellSpec", "ModuleStyle", "RenderedCell", "draw_cell", "draw_style", "render_cell"]

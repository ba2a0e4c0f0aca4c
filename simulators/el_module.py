"""Compose rendered cells into the photograph of a module, with known truth.

    module = draw_module(rng)                       # layout, cells, defects
    photo = take_photo(module, draw_camera(rng))    # raw picture, dark and flat frame, truth

The camera is a pinhole at a distance, turned by three angles, with one radial lens term
(Brown 1966), vignetting, scattered light, shot and read noise, hot pixels and a converter.
Lengths are in units of a whole cell's side; x runs along the module's long side, along the
busbars.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from simulators.el_render import CellSpec, ModuleStyle, draw_cell, draw_style, render_cell
from simulators.el_render.spec import Label

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Raw = NDArray[np.uint16]

LAYOUTS: tuple[tuple[int, int, bool], ...] = (
    (4, 9, False),
    (6, 10, False),
    (6, 12, False),
    (8, 12, False),
    (8, 16, False),
    (6, 20, True),
    (6, 24, True),
)


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module's cells and how they lie; ``cells`` row by row.

    ``gap`` between cells, ``middle_gap`` extra in the middle of a half-cut module, ``border`` from
    the cells to the frame's outer edge; ``dark_rows`` are bypassed and keep ``dark_level`` of
    their light; back sheet and frame scatter ``gap_scatter`` and ``frame_scatter`` of the light
    around them.
    """

    rows: int
    columns: int
    half_cut: bool
    style: ModuleStyle
    cells: tuple[CellSpec, ...]
    gap: float = 0.016
    middle_gap: float = 0.11
    border: float = 0.16
    dark_rows: frozenset[int] = frozenset()
    dark_level: float = 0.02
    gap_scatter: float = 0.03
    frame_scatter: float = 0.05

    @cached_property
    def cell_width(self) -> float:
        """Width of a cell along the busbars; its height is 1."""
        return 0.5 - self.gap / 2 if self.half_cut else 1.0

    def starts(self) -> tuple[Array, Array]:
        """Where columns and rows start, (columns,) and (rows,)."""
        column = np.arange(self.columns, dtype=np.float64)
        shift = self.middle_gap * (column >= self.columns / 2) if self.half_cut else 0.0
        x = np.asarray(column * (self.cell_width + self.gap) + shift, np.float64)
        return x, np.asarray(np.arange(self.rows) * (1 + self.gap), np.float64)

    def size(self) -> tuple[float, float]:
        """Width and height of the cell area."""
        x, y = self.starts()
        return float(x[-1]) + self.cell_width, float(y[-1]) + 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How the picture is taken.

    ``width`` × ``height`` [px]; ``fill`` is the share of the picture that the module spans;
    ``tilt`` (about x and y) and ``roll`` [rad]; ``quarter_turns`` of the module, clockwise;
    ``shift`` of the module's middle in picture widths and heights; ``focal`` in long sides;
    ``k1`` radial term per squared focal length; ``vignetting`` lost at the corners; ``blur`` [px];
    ``full_well`` [electrons] at full scale; ``exposure``: bright level over full scale.
    """

    width: int = 1500
    height: int = 1000
    fill: float = 0.8
    tilt: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0
    quarter_turns: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    focal: float = 1.1
    k1: float = 0.0
    vignetting: float = 0.15
    blur: float = 0.8
    glow: float = 0.02
    exposure: float = 0.8
    full_well: float = 20000.0
    read_noise: float = 0.004  # of full scale
    dark_level: float = 0.015  # of full scale
    hot_pixels: float = 2e-5  # share of all pixels
    bits: int = 12
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A raw picture with its frames and its truth.

    ``polygons`` (rows, columns, 4, 2) in pixels and ``corners`` (4, 2), clockwise from the top
    left as seen; ``levels`` (rows, columns) relative brightness; ``labels`` of each cell as seen
    (rows, columns, side, side).
    """

    pixels: Raw
    dark: Raw
    flat: Raw
    rows: int
    columns: int
    polygons: Array
    corners: Array
    levels: Array
    labels: NDArray[np.uint8]


def draw_module(
    rng: np.random.Generator,
    *,
    layout: tuple[int, int, bool] | None = None,
    dark_rows: frozenset[int] = frozenset(),
    kinds: int | None = None,
) -> Module:
    """Draw a module of a known layout; ``kinds`` different cells at most (None: all differ)."""
    rows, columns, half_cut = layout or LAYOUTS[int(rng.integers(len(LAYOUTS)))]
    style = replace(draw_style(rng), margin=0.0, aspect=2.0 if half_cut else 1.0)
    drawn = [draw_cell(rng, style) for _ in range(min(kinds or rows * columns, rows * columns))]
    drawn = [replace(cell, shift=(0.0, 0.0), turn=0.0) for cell in drawn]
    order = rng.permutation(np.arange(rows * columns) % len(drawn))
    return Module(
        rows=rows,
        columns=columns,
        half_cut=half_cut,
        style=style,
        cells=tuple(drawn[i] for i in order),
        gap=float(rng.uniform(0.010, 0.03)),
        middle_gap=float(rng.uniform(0.06, 0.2)),
        border=float(rng.uniform(0.08, 0.3)),
        dark_rows=dark_rows,
        dark_level=float(rng.uniform(0.008, 0.04)),
        gap_scatter=float(rng.uniform(0.01, 0.06)),
        frame_scatter=float(rng.uniform(0.01, 0.08)),
    )


def draw_camera(rng: np.random.Generator, *, width: int = 1500, height: int = 1000) -> Camera:
    """Draw a camera as a test bench has it: nearly square on, not well adjusted."""
    return Camera(
        width=width,
        height=height,
        fill=float(rng.uniform(0.62, 0.86)),
        tilt=(float(rng.normal(0, 0.06)), float(rng.normal(0, 0.06))),
        roll=float(rng.uniform(-0.26, 0.26)) * float(rng.random() < 0.6),
        quarter_turns=int(rng.integers(4)) if rng.random() < 0.4 else 0,
        shift=(float(rng.normal(0, 0.015)), float(rng.normal(0, 0.015))),
        focal=float(rng.uniform(0.9, 1.6)),
        k1=float(rng.uniform(-0.1, 0.03)),
        vignetting=float(rng.uniform(0.0, 0.45)),
        blur=float(rng.uniform(0.5, 1.1)) * max(width, height) / 1500,
        glow=float(rng.uniform(0.0, 0.04)),
        exposure=float(rng.uniform(0.15, 0.85)),
        full_well=float(rng.uniform(4000, 40000)),
        read_noise=float(rng.uniform(0.001, 0.006)),
        dark_level=float(rng.uniform(0.003, 0.03)),
        bits=int(rng.choice([8, 10, 12, 16])),
        seed=int(rng.integers(2**31)),
    )


def take_photo(module: Module, camera: Camera) -> Photo:
    """Take the picture of ``module`` with ``camera``; the same arguments give the same picture."""
    rng = np.random.default_rng(camera.seed)
    side = _cell_pixels(module, camera)
    sheet, labels, levels = _sheet(module, side)
    turns = camera.quarter_turns % 4
    origin = _origin(module, side, turns)
    polygons = _polygons(module)
    matrix = _plane_to_camera(module, camera)
    light = _see(np.rot90(sheet, -turns), origin, side, matrix, module, camera)
    raw, dark, flat = _expose(light, camera, rng)
    turned = _turn_points(polygons, module, turns)
    seen = _turn_cells(turned, turns)
    rows, columns = seen.shape[:2]
    corners = np.stack((seen[0, 0, 0], seen[0, -1, 1], seen[-1, -1, 2], seen[-1, 0, 3]))
    return Photo(
        pixels=raw,
        dark=dark,
        flat=flat,
        rows=rows,
        columns=columns,
        polygons=_project(seen, matrix, camera),
        corners=_project(corners, matrix, camera),
        levels=np.rot90(levels, -turns),
        labels=np.rot90(np.rot90(labels, -turns), -turns, axes=(2, 3)),
    )


def _cell_pixels(module: Module, camera: Camera) -> int:
    """Pixels of a cell's side on the sheet: half as many again as in the picture."""
    width, height = _outer_size(module, camera.quarter_turns)
    scale = camera.fill * min(camera.width / width, camera.height / height)
    return int(np.clip(round(1.5 * scale), 48, 1200))


def _outer_size(module: Module, quarter_turns: int) -> tuple[float, float]:
    width, height = (length + 2 * module.border for length in module.size())
    return (height, width) if quarter_turns % 2 else (width, height)


def _origin(module: Module, side: int, turns: int) -> tuple[float, float]:
    """Where the turned sheet has the corner of its cell area; the sheet is of whole pixels."""
    width, height = ((round(length * side) - length * side) / side for length in module.size())
    border = round(module.border * side) / side
    return border + (0.0, height, width, 0.0)[turns], border + (0.0, 0.0, height, width)[turns]


def _sheet(module: Module, side: int) -> tuple[Image, NDArray[np.uint8], Array]:
    """The module's light on its own plane, truth labels and levels of the cells."""
    width, height = module.size()
    border = round(module.border * side)
    shape = (round(height * side) + 2 * border, round(width * side) + 2 * border)
    sheet = np.zeros(shape, np.float32)
    starts_x, starts_y = module.starts()
    pictures = _pictures(module, min(side, 320))
    labels = np.empty((module.rows, module.columns, 64, 64), np.uint8)
    levels = np.empty((module.rows, module.columns))
    for i, (row, column) in enumerate(np.ndindex(module.rows, module.columns)):
        image, truth = pictures[module.cells[i]]
        dim = module.dark_level if row in module.dark_rows else 1.0
        where = (float(starts_x[column]), float(starts_y[row]))
        _lay(sheet, np.asarray(image * dim, np.float32), where, module, side, border)
        labels[row, column] = truth
        levels[row, column] = module.cells[i].level * dim
    _scatter(sheet, module, side, border)
    return sheet, labels, levels


def _scatter(sheet: Image, module: Module, side: int, border: int) -> None:
    """Light that back sheet and frame, all that is no cell, send on from the cells around."""
    small = cv2.resize(sheet, None, fx=8 / side, fy=8 / side, interpolation=cv2.INTER_AREA)
    near = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), sheet.shape[::-1])
    share = np.full(sheet.shape, module.frame_scatter, np.float32)
    share[border:-border, border:-border] = module.gap_scatter
    np.copyto(sheet, share * near, where=sheet == 0)


def _pictures(module: Module, side: int) -> dict[CellSpec, tuple[Image, NDArray[np.uint8]]]:
    """Each different cell rendered once, without optics; zero off the wafer."""
    found = {}
    for spec in dict.fromkeys(module.cells):
        cell = render_cell(spec, module.style, side=side, optics=False)
        outside = cell.labels == Label.OUTSIDE
        image = np.where(outside, np.float32(0), np.maximum(cell.image, np.float32(1e-4)))
        truth = cv2.resize(cell.labels, (64, 64), interpolation=cv2.INTER_NEAREST)
        found[spec] = (image.astype(np.float32), truth.astype(np.uint8))
    return found


def _lay(
    sheet: Image, image: Image, where: tuple[float, float], module: Module, side: int, border: int
) -> None:
    """Lay a cell on the sheet at a fraction of a pixel, its rim blended by its coverage."""
    left, top = border + where[0] * side, border + where[1] * side
    x0, y0 = int(np.floor(left)), int(np.floor(top))
    width, height = int(np.ceil(module.cell_width * side)) + 2, side + 2
    columns, rows = np.arange(x0, x0 + width), np.arange(y0, y0 + height)
    right, bottom = left + module.cell_width * side, top + side
    cover_x = np.clip(np.minimum(columns + 1, right) - np.maximum(columns, left), 0, 1)
    cover_y = np.clip(np.minimum(rows + 1, bottom) - np.maximum(rows, top), 0, 1)
    at_x = (columns + 0.5 - left) / (module.cell_width * side) * image.shape[1] - 0.5
    at_y = (rows + 0.5 - top) / side * image.shape[0] - 0.5
    map_x, map_y = np.meshgrid(at_x.astype(np.float32), at_y.astype(np.float32))
    part = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = (cover_y[:, None] * cover_x).astype(np.float32)
    under = sheet[y0 : y0 + height, x0 : x0 + width]
    under += cover * (part - under)


def _polygons(module: Module) -> Array:
    """Outlines of the cells on the plane, (rows, columns, 4, 2)."""
    x, y = module.starts()
    x0, x1 = x, x + module.cell_width
    y0, y1 = y, y + 1.0
    xs = np.stack((x0, x1, x1, x0), axis=-1)[None]
    ys = np.stack((y0, y0, y1, y1), axis=-1)[:, None]
    return np.stack(np.broadcast_arrays(xs, ys), axis=-1)


def _turn_points(points: Array, module: Module, turns: int) -> Array:
    """Turn points on the plane clockwise by quarter turns, keeping the cell area's corner at 0."""
    width, height = module.size()
    for _ in range(turns):
        points = np.stack((height - points[..., 1], points[..., 0]), axis=-1)
        width, height = height, width
    return points


def _turn_cells(polygons: Array, turns: int) -> Array:
    """Put turned cells in the order in which they are seen, corners too."""
    return np.roll(np.rot90(polygons, -turns), turns, axis=2)


def _plane_to_camera(module: Module, camera: Camera) -> Array:
    """Homography from the (turned) plane, cell area's corner at 0, to the ideal focal plane."""
    width, height = module.size()
    if camera.quarter_turns % 2:
        width, height = height, width
    ax, ay = camera.tilt
    about_x = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    about_y = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    c, s = np.cos(camera.roll), np.sin(camera.roll)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ about_x @ about_y
    long_side = max(camera.width, camera.height)
    outer = _outer_size(module, camera.quarter_turns)
    span = np.abs(turn[:2, :2]) @ np.array(outer)
    pixels = camera.fill * min(camera.width / span[0], camera.height / span[1])
    distance = camera.focal * long_side / pixels
    away = distance * np.array(
        [
            camera.shift[0] * camera.width / (camera.focal * long_side),
            camera.shift[1] * camera.height / (camera.focal * long_side),
            1.0,
        ]
    )
    middle = np.array([width / 2, height / 2])
    return np.column_stack((turn[:, 0], turn[:, 1], away - turn[:, :2] @ middle))


def _project(points: Array, matrix: Array, camera: Camera) -> Array:
    flat = points.reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]
    ideal = flat[:, :2] / flat[:, 2:]
    radius2 = np.sum(ideal**2, axis=1, keepdims=True)
    pixels = ideal * (1 + camera.k1 * radius2) * camera.focal * max(camera.width, camera.height)
    centre = np.array([(camera.width - 1) / 2, (camera.height - 1) / 2])
    return np.asarray((pixels + centre).reshape(points.shape))


def _see(
    sheet: Image,
    origin: tuple[float, float],
    side: int,
    matrix: Array,
    module: Module,
    camera: Camera,
) -> Image:
    """Light on the sensor, blurred, with the glow that lens and air scatter around."""
    x, y = np.meshgrid(
        np.arange(camera.width, dtype=np.float32), np.arange(camera.height, dtype=np.float32)
    )
    focal = camera.focal * max(camera.width, camera.height)
    x, y = (x - (camera.width - 1) / 2) / focal, (y - (camera.height - 1) / 2) / focal
    straight_x, straight_y = x, y
    for _ in range(6):
        stretch = 1 + camera.k1 * (straight_x**2 + straight_y**2)
        straight_x, straight_y = x / stretch, y / stretch
    back = np.linalg.inv(matrix).astype(np.float32)
    depth = back[2, 0] * straight_x + back[2, 1] * straight_y + back[2, 2]
    u = (back[0, 0] * straight_x + back[0, 1] * straight_y + back[0, 2]) / depth
    v = (back[1, 0] * straight_x + back[1, 1] * straight_y + back[1, 2]) / depth
    at_x, at_y = ((u + origin[0]) * side - 0.5), ((v + origin[1]) * side - 0.5)
    soft = cv2.GaussianBlur(sheet, (0, 0), 0.5)
    light = cv2.remap(soft, at_x, at_y, cv2.INTER_LINEAR, borderValue=0.0)
    light = cv2.GaussianBlur(light, (0, 0), max(camera.blur, 0.3))
    if camera.glow:
        small = cv2.resize(light, (camera.width // 16, camera.height // 16), interpolation=3)
        wide = cv2.GaussianBlur(small, (0, 0), camera.width / 16 * 0.06)
        light = light + camera.glow * cv2.resize(wide, (camera.width, camera.height))
    return np.asarray(light, np.float32)


def _expose(light: Image, camera: Camera, rng: np.random.Generator) -> tuple[Raw, Raw, Raw]:
    """Fall-off, noise, dark level with hot pixels, and the converter."""
    shape = light.shape
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    aspect = shape[0] / shape[1]
    radius2 = (x**2 + (y * aspect) ** 2) / (1 + aspect**2)
    fall_off = (1 - camera.vignetting * radius2).astype(np.float32)
    signal = light * fall_off * np.float32(camera.exposure)
    hot = np.zeros(shape, np.float32)
    count = int(camera.hot_pixels * light.size)
    hot.ravel()[rng.integers(0, light.size, count)] = rng.uniform(0.05, 1.0, count)

    def read(electrons: Image) -> Raw:
        noise = rng.standard_normal(shape, np.float32)
        shot = np.sqrt(np.maximum(electrons, 0) / np.float32(camera.full_well))
        value = electrons + hot + camera.dark_level
        value = value + noise * np.hypot(shot, np.float32(camera.read_noise))
        top = (1 << camera.bits) - 1
        code = np.clip(np.rint(value * top), 0, top).astype(np.uint16)
        step = 257 if camera.bits == 8 else 1 << (16 - camera.bits)
        return np.asarray(code * np.uint16(step), np.uint16)

    raw, dark = read(signal), read(np.zeros(shape, np.float32))
    return raw, dark, np.rint(fall_off * 60000).astype(np.uint16)

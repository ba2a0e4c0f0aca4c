"""Photographs of rendered modules, made once for each set of parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from simulators.el_module import Camera, Module, Photo, draw_module, take_photo

Shoot = Callable[..., Photo]


@lru_cache(maxsize=32)
def module(
    layout: tuple[int, int, bool], seed: int, dark: frozenset[int], busbars: int | None
) -> Module:
    rng = np.random.default_rng(seed)
    drawn = draw_module(rng, layout=layout, kinds=10, dark_rows=dark)
    if busbars is not None:
        style = replace(drawn.style, busbars=busbars, busbar_level=0.4, busbar_width=0.012)
        drawn = replace(drawn, style=style)
    return replace(drawn, dark_level=0.02)


@lru_cache(maxsize=64)
def cached(
    layout: tuple[int, int, bool],
    seed: int,
    dark: frozenset[int],
    busbars: int | None,
    camera: Camera,
) -> Photo:
    return take_photo(module(layout, seed, dark, busbars), camera)


@pytest.fixture(scope="session")
def shoot() -> Shoot:
    """Take a photograph: layout, seed, dark rows, busbars, and any of ``Camera``'s fields."""

    def take(
        layout: tuple[int, int, bool] = (6, 10, False),
        *,
        seed: int = 1,
        dark: tuple[int, ...] = (),
        busbars: int | None = None,
        **camera: Any,
    ) -> Photo:
        return cached(layout, seed, frozenset(dark), busbars, replace(Camera(), **camera))

    return take

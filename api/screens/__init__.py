"""The screens: pages from the server, brought up to date by its events."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api.screens import pages, sign_in
from api.screens.render import HERE


def install(app: FastAPI) -> None:
    """Add the pages and their static files to the service."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(pages.router)
    app.include_router(sign_in.router)

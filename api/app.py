"""The service as one application: routes, screens and problems."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from api import access, problems, routes, screens
from api.access.headers import SecurityHeaders
from api.records import Records
from config.load import Site, load_grading, load_site
from grading.rules import RuleBook
from station.ports import StationControl


def create_app(
    *,
    records: Records,
    station: StationControl | None,
    evidence_dir: Path,
    build_id: str,
    nameplates: Path | None = None,
    site: Site | None = None,
    rules: RuleBook | None = None,
    demo: bool = False,
) -> FastAPI:
    """Return the service.

    ``station`` is None where it only keeps records; ``nameplates`` is a site's own list of modules;
    ``site`` says who tests, and ``rules`` which reasons there are; what ships where they are None.
    ``demo`` asks nobody to sign in, for simulated devices alone.
    """
    app = FastAPI(
        title="Zonkeur",
        version=version("zonkeur"),
        summary="Records and line of a test station for used solar panels",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    app.state.records = records
    app.state.station = station
    app.state.evidence_dir = evidence_dir
    app.state.build_id = build_id
    app.state.nameplates = nameplates
    app.state.site = site or load_site()
    app.state.rules = rules or load_grading().rules
    app.state.stopping = asyncio.Event()
    problems.install(app)
    app.include_router(routes.router)
    screens.install(app)
    guard = access.Guard(access.AccessStore(records.engine), demo=demo)
    access.install(app, guard)
    app.add_middleware(SecurityHeaders)
    return app

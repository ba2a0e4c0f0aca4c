"""The HTTP interface, for the screens and for other software."""

from fastapi import APIRouter

from api.routes import events, inspections, metrics, modules, station

router = APIRouter()
for part in (station, inspections, modules, events, metrics):
    router.include_router(part.router)

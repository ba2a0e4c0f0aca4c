"""The HTTP interface, for the screens and for other software."""

from fastapi import APIRouter

from api.routes import events, inspections, metrics, station

router = APIRouter()
for part in (station, inspections, events, metrics):
    router.include_router(part.router)

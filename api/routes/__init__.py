"""The HTTP interface, for the screens and for other software."""

from fastapi import APIRouter

from api.routes import events, inspections, metrics, modules, sign_in, station

router = APIRouter()
for part in (station, inspections, modules, events, metrics, sign_in):
    router.include_router(part.router)

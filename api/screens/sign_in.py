"""The pages of signing in: the PIN pad, and the figures that a partner sees."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.access import OPEN, Guard, Role, Scope, needs
from api.deps import OptionalStationDep, RecordsDep
from api.screens import views
from api.screens.language import language_of, translator
from api.screens.render import render

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

# Who stands at the line; the others type their name, and are shown to nobody.
AT_THE_LINE = (Role.OPERATOR, Role.QUALITY, Role.MANAGER)


@router.get("/sign-in", dependencies=[needs(OPEN)])
def sign_in(
    request: Request,
    station: OptionalStationDep,
    to: Annotated[str | None, Query(max_length=2000)] = None,
) -> HTMLResponse:
    """The PIN pad, with everybody's name at the line's own screen."""
    guard: Guard = request.app.state.guard
    people = [] if station is None else guard.store.people()
    return render(
        request,
        "sign_in.html",
        title=translator(language_of(request))("sign_in", "title"),
        page_class="sign-in",
        people=[p for p in people if p.role in AT_THE_LINE and not p.disabled],
        to=to if to and to.startswith("/") and not to.startswith(("//", "/\\")) else "",
    )


@router.get("/figures", dependencies=[needs(Scope.RECORDS_SUMMARY)])
def figures(request: Request, records: RecordsDep) -> HTMLResponse:
    """How many panels of each maker stand at each verdict and grade; no panel, lot or person."""
    counts = records.counts()
    return render(
        request,
        "figures.html",
        title=translator(language_of(request))("sign_in", "figures"),
        page_class="figures",
        totals=views.totals(counts),
        counts=counts,
    )

"""Templates, with the language and the build in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.screens.language import language_of, translator

HERE = Path(__file__).parent.parent

HEADERS = {"Cache-Control": "no-store"}  # the others go with every answer

_templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


def render(request: Request, template: str, **context: Any) -> HTMLResponse:
    """Return a page in the language of whoever asks."""
    language = language_of(request)
    defaults = {
        "language": language,
        "t": translator(language),
        "build_id": request.app.state.build_id,
        "person": getattr(request.state, "principal", None),
        "snapshot": None,
        "title": "",
        "page_class": "",
    }
    response = _templates.TemplateResponse(request, template, defaults | context)
    response.headers.update(HEADERS)
    return response

"""Every route declares whom it asks for leave, and no route is forgotten."""

import pytest
from fastapi import APIRouter
from starlette.routing import Mount, Route

from api.access.guard import declared_scopes, install
from api.access.scopes import DEMO, SCOPES, Role, Scope
from api.app import create_app

# Without leave: signing in itself, the choice of language, whether the service lives.
OPEN_ROUTES = {
    "GET /sign-in",
    "POST /api/sign-in",
    "POST /api/sign-out",
    "GET /language/{code}",
    "GET /api/health",
}


@pytest.fixture
def app(records, station, tmp_path):
    return create_app(records=records, station=station, evidence_dir=tmp_path, build_id="b")


def test_every_route_declares_one_scope_and_the_open_ones_are_these(app):
    found = declared_scopes(app)
    assert len(found) > 25  # the walk sees what is included, too
    assert {name for name, scopes in found.items() if len(scopes) != 1} == set()
    assert {name for name, scopes in found.items() if scopes == [None]} == OPEN_ROUTES


def test_what_is_published_is_what_was_walked(app):
    published = {
        f"{method.upper()} {path}"
        for path, item in app.openapi()["paths"].items()
        for method in item
    }
    walked = {name.replace(":path}", "}") for name in declared_scopes(app)}
    assert published <= walked


def test_besides_routes_there_are_only_static_files_and_the_document(app):
    bare = {r.path for r in app.routes if type(r) is Route or isinstance(r, Mount)}
    assert bare == {"/static", "/openapi.json"}


def test_a_service_with_a_route_that_declares_nothing_does_not_start(app):
    router = APIRouter()
    router.get("/forgotten")(lambda: None)
    app.include_router(router)
    with pytest.raises(RuntimeError, match="GET /forgotten"):
        install(app, app.state.guard)


def test_each_role_has_what_it_needs_and_no_more():
    assert SCOPES[Role.PARTNER] == {Scope.RECORDS_SUMMARY}
    assert SCOPES[Role.SERVICE] == {Scope.RECORDS_DELIVER}
    assert Scope.RECORDS_OVERRIDE not in SCOPES[Role.OPERATOR]
    assert Scope.PEOPLE in SCOPES[Role.MANAGER]
    assert all(Scope.PEOPLE not in SCOPES[role] for role in Role if role is not Role.MANAGER)
    assert not DEMO.may(Scope.PEOPLE)

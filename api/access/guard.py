"""The guard at every route: who calls, whether they may, and whether it is really them.

Each route declares its scope by ``dependencies=[needs(Scope.…)]``, or ``needs(OPEN)`` where it asks
for nobody's leave; a service with a route that declares nothing does not start.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.params import Depends as Dependency
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.access import credentials
from api.access.addresses import Addresses
from api.access.scopes import DEMO, Principal, Role, Scope
from api.access.store import SHIFT, AccessStore
from api.access.values import MayNot

COOKIE = "zonkeur_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REMEMBERED = 200  # people and machines, for when the database is away


class NotSignedIn(Exception):
    """Nobody is known to call."""


class Guard:
    """Says who calls.

    ``demo`` lets everybody in where all devices are simulated, as long as nobody has an account.
    While the database is away, whoever was let in before is let in for the rest of their shift:
    the line can be worked.
    """

    def __init__(self, store: AccessStore, *, demo: bool = False) -> None:
        self.store = store
        self.addresses = Addresses()
        self._demo = demo and not store.has_people()
        self._own: dict[str, Principal] = {}
        self._known: OrderedDict[str, tuple[Principal, datetime]] = OrderedDict()

    def own_token(self, name: str, scopes: frozenset[Scope]) -> str:
        """Return a token for a helper in this process; it is kept nowhere but here."""
        secret = credentials.new_token()
        principal = Principal(name=name, role=Role.SERVICE, scopes=scopes)
        self._own[credentials.digest(secret)] = principal
        return secret

    def principal(self, request: Request) -> Principal | None:
        """Return who calls; None where nobody is known to.

        Raises:
            MayNot: a page of another site may have sent this.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._own.get(credentials.digest(token)) or self._asked(token, None)
        cookie = request.cookies.get(COOKIE)
        by_hand = request.method not in SAFE_METHODS
        found = self._asked(cookie, by_hand) if cookie else None
        if found is not None and by_hand:
            _refuse_forged(request, found)
        return found or (DEMO if self._demo else None)

    def _asked(self, secret: str, by_hand: bool | None) -> Principal | None:
        """Ask the database whose token (``by_hand`` None) or cookie this is."""
        key = credentials.digest(secret)
        try:
            if by_hand is None:
                found = self.store.of_token(secret)
            else:
                found = self.store.of_cookie(secret, by_hand=by_hand)
        except (DBAPIError, PoolTimeout):
            principal, until = self._known.get(key, (None, datetime.min.replace(tzinfo=UTC)))
            if datetime.now(UTC) < until:
                return principal
            raise
        if found is None:
            self._known.pop(key, None)
        elif key not in self._known:
            self._known[key] = found, datetime.now(UTC) + SHIFT
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


class Needs:
    """What a route declares; as a dependency it lets pass, or refuses."""

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> None:
        """Raise NotSignedIn or MayNot where the caller may not; else keep who calls."""
        guard: Guard = request.app.state.guard
        found = guard.principal(request) if self.scope or _is_page(request) else None
        request.state.principal = found
        if self.scope is None:
            return
        if found is None:
            raise NotSignedIn
        if not found.may(self.scope):
            raise MayNot(f"This needs {self.scope}; the role {found.role} does not have it.")


def needs(scope: Scope | None) -> Dependency:
    """Return the declaration of a route's scope."""
    declared: Dependency = Depends(Needs(scope))
    return declared


def _person(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


# Who calls, behind a route that needs a scope.
Person = Annotated[Principal, Depends(_person)]


def declared_scopes(app: FastAPI) -> dict[str, list[Scope | None]]:
    """Return, by method and path, what each route declares: one scope, or it is a fault."""
    found = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            guards = [d.call for d in route.dependant.dependencies if isinstance(d.call, Needs)]
            name = f"{' '.join(sorted(route.methods or ()))} {route.path}"
            found[name] = [guard.scope for guard in guards]
    return found


def install(app: FastAPI, guard: Guard) -> None:
    """Put the guard into a service that has all its routes."""
    bare = [name for name, scopes in declared_scopes(app).items() if len(scopes) != 1]
    if bare:
        raise RuntimeError(f"These routes do not declare one scope: {', '.join(bare)}.")
    app.state.guard = guard
    app.add_exception_handler(NotSignedIn, _ask_to_sign_in)


def same_site(request: Request) -> bool:
    """Whether no other site's page sent this, as far as the browser tells."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _refuse_forged(request: Request, principal: Principal) -> None:
    given = request.headers.get(CSRF_HEADER)
    if not same_site(request) or not credentials.same(given, principal.csrf or ""):
        raise MayNot("This was not sent by a page of this service; load the page again.")


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(("/api/", "/metrics"))


def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if _is_page(request) and request.method in SAFE_METHODS:
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?to={quote(here, safe='')}", 303)
    body = {
        "type": "urn:zonkeur:not_signed_in",
        "title": "Nobody is signed in",
        "status": 401,
        "detail": "This needs somebody who is signed in, or a token that is good.",
        "remedy": "Sign in at /sign-in, or send 'Authorization: Bearer' with a token.",
    }
    return JSONResponse(
        body, 401, {"WWW-Authenticate": "Bearer"}, media_type="application/problem+json"
    )

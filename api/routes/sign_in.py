"""Signing in and out, for the screens."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import OPEN, Guard, MayNot, Role, SignInRefused, needs
from api.access.guard import COOKIE, same_site
from api.access.store import SHIFT
from api.problems import RESPONSES

router = APIRouter(prefix="/api", tags=["sign-in"], responses=RESPONSES)

HOME = {Role.PARTNER: "/figures"}  # where each begins; the others at the line


class SignInBody(BaseModel):
    """A name and its PIN, or what a badge says."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, max_length=60, pattern=r"^[^\x00]*$", examples=["Ann"])
    pin: str | None = Field(default=None, pattern=r"^[0-9]{4,12}$", examples=["73105946"])
    badge: str | None = Field(default=None, max_length=80, pattern=r"^ZKB-[A-Z2-7]+$")


class SignedIn(BaseModel):
    """Who is signed in now, and which page is theirs."""

    name: str
    home: str


class SignedOut(BaseModel):
    """Nobody is signed in here any more."""

    done: bool = True


@router.post("/sign-in", dependencies=[needs(OPEN)])
def sign_in(body: SignInBody, request: Request, response: Response) -> SignedIn:
    """Sign in by name and PIN or by badge; the session is in a cookie. 429 says how long to wait.

    A session ends after 12 hours, and an hour after the last thing that was done by hand.
    """
    if not same_site(request):
        raise MayNot("Another site's page sent this.")
    guard: Guard = request.app.state.guard
    address = request.client.host if request.client else ""
    guard.addresses.check(address)
    if body.badge is not None:
        cookie = guard.store.sign_in_by_badge(body.badge)
    else:
        cookie = guard.store.sign_in(body.name or "", body.pin or "")
    guard.addresses.right(address)
    person = guard.store.of_cookie(cookie, by_hand=True)
    if person is None or person.name is None:
        raise SignInRefused("The account was disabled at this moment.")
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SHIFT.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SignedIn(name=person.name, home=HOME.get(person.role, "/"))


@router.post("/sign-out", dependencies=[needs(OPEN)])
def sign_out(request: Request, response: Response) -> SignedOut:
    """End the session of this browser."""
    if not same_site(request):
        raise MayNot("Another site's page sent this.")
    guard: Guard = request.app.state.guard
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        guard.store.sign_out(cookie)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return SignedOut()

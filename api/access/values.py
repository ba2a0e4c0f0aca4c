"""Accounts and tokens as the rest of the service sees them, and what can be refused."""

from __future__ import annotations

from dataclasses import dataclass

from api.access.scopes import Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may sign in."""

    name: str
    role: Role
    badge: bool
    disabled: bool
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A machine's token; what it is was shown once, when it was made."""

    token_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None


class SignInRefused(Exception):
    """Name and PIN, or badge, do not fit; which of them is not told."""


class TooManyAttempts(SignInRefused):
    """Wrong too often: not even the right PIN is looked at before ``wait`` seconds are over."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many wrong attempts. Try again in {wait} s.")
        self.wait = wait


class NameTaken(ValueError):
    """An account, or a token in use, has this name already."""


class NoSuchAccount(LookupError):
    """There is no account, or token, of this name."""


class MayNot(Exception):
    """Whoever calls is known, and this is not theirs to do."""

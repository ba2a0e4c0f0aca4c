"""Who may do what: people and their roles, tokens of machines, sessions, and the guard of routes.

``scopes`` says what there is to allow, ``credentials`` how secrets are made and checked, ``store``
keeps them, ``guard`` stands at every route, and ``headers`` goes with every answer.
"""

from api.access.guard import SAFE_METHODS, Guard, Person, install, needs
from api.access.scopes import OPEN, Principal, Role, Scope
from api.access.store import AccessStore
from api.access.values import (
    Account,
    MayNot,
    NameTaken,
    NoSuchAccount,
    SignInRefused,
    Token,
    TooManyAttempts,
)

__all__ = [
    "OPEN",
    "SAFE_METHODS",
    "AccessStore",
    "Account",
    "Guard",
    "MayNot",
    "NameTaken",
    "NoSuchAccount",
    "Person",
    "Principal",
    "Role",
    "Scope",
    "SignInRefused",
    "Token",
    "TooManyAttempts",
    "install",
    "needs",
]

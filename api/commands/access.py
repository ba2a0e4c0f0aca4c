"""``zonkeur user`` and ``zonkeur token``: who may sign in, and which machines may call.

Whoever can write the database needs no leave of the service: these commands are the way back in
when every PIN is lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import typer

from api.access.scopes import Role, Scope
from api.access.store import AccessStore
from api.access.values import NoSuchAccount
from api.commands.database import database_url
from api.commands.output import BAD_CALL, at_the_shell, print_json, progress_console
from api.records import Records

user = typer.Typer(help="People who may sign in.", no_args_is_help=True)
token = typer.Typer(help="Tokens of machines.", no_args_is_help=True)

DATABASE = typer.Option(None, help="Address; SQLite under --data by default.")
DATA = typer.Option(Path("var"), help="Folder of the station's data.")
AS_JSON = typer.Option(False, "--json", help="One JSON document on stdout.")
NAME = typer.Argument(help="The person's name.")


@user.command("create")
def create_user(
    name: str = NAME,
    role: Role = typer.Option(Role.OPERATOR, help="What the person is to the plant."),
    database: str | None = DATABASE,
    data: Path = DATA,
    as_json: bool = AS_JSON,
) -> None:
    """Make an account, and show its PIN this once."""
    with _store(database, data) as store:
        pin = store.create(name, role, by=at_the_shell())
    _say({"name": name, "role": role, "pin": pin}, f"{name}, {role}: PIN {pin}", as_json)


@user.command("list")
def list_users(database: str | None = DATABASE, data: Path = DATA, as_json: bool = AS_JSON) -> None:
    """Show every account."""
    with _store(database, data) as store:
        people = store.people()
    lines = [f"{p.name}: {p.role}{', disabled' if p.disabled else ''}" for p in people]
    _say({"users": [dataclasses.asdict(p) for p in people]}, "\n".join(lines), as_json)


@user.command("pin")
def new_pin(
    name: str = NAME, database: str | None = DATABASE, data: Path = DATA, as_json: bool = AS_JSON
) -> None:
    """Give somebody a new PIN, and show it this once; their sessions end."""
    with _store(database, data) as store:
        pin = store.change_pin(name, by=at_the_shell())
    _say({"name": name, "pin": pin}, f"{name}: PIN {pin}", as_json)


@user.command("badge")
def new_badge(
    name: str = NAME, database: str | None = DATABASE, data: Path = DATA, as_json: bool = AS_JSON
) -> None:
    """Give somebody a badge, and show this once what its barcode says (Code 128 or QR)."""
    with _store(database, data) as store:
        badge = store.issue_badge(name, by=at_the_shell())
    _say({"name": name, "badge": badge}, badge, as_json)


@user.command("disable")
def disable_user(
    name: str = NAME, database: str | None = DATABASE, data: Path = DATA, as_json: bool = AS_JSON
) -> None:
    """Let somebody in no longer; their records stay."""
    with _store(database, data) as store:
        store.disable(name, by=at_the_shell())
    _say({"name": name, "disabled": True}, f"{name} can sign in no longer.", as_json)


@token.command("create")
def create_token(
    name: str = typer.Argument(help="The machine's name."),
    scope: list[Scope] = typer.Option(help="What it may do; more than once for more."),
    days: int | None = typer.Option(None, min=1, help="For how long; for good if left out."),
    database: str | None = DATABASE,
    data: Path = DATA,
    as_json: bool = AS_JSON,
) -> None:
    """Make a token, and show it this once."""
    with _store(database, data) as store:
        token_id, secret = store.create_token(name, scope, by=at_the_shell(), days=days)
    _say({"token_id": token_id, "name": name, "token": secret}, secret, as_json)


@token.command("list")
def list_tokens(
    database: str | None = DATABASE, data: Path = DATA, as_json: bool = AS_JSON
) -> None:
    """Show every token but for what it is."""
    with _store(database, data) as store:
        tokens = store.tokens()
    lines = [
        f"{t.token_id} {t.name}: {' '.join(t.scopes)}{', revoked' if t.revoked_at else ''}"
        for t in tokens
    ]
    _say({"tokens": [dataclasses.asdict(t) for t in tokens]}, "\n".join(lines), as_json)


@token.command("revoke")
def revoke_token(
    token_id: str = typer.Argument(help="As 'token list' shows it."),
    database: str | None = DATABASE,
    data: Path = DATA,
    as_json: bool = AS_JSON,
) -> None:
    """Make a token worthless, at once."""
    with _store(database, data) as store:
        store.revoke_token(token_id, by=at_the_shell())
    _say({"token_id": token_id, "revoked": True}, f"{token_id} is worthless now.", as_json)


@contextmanager
def _store(database: str | None, data: Path) -> Iterator[AccessStore]:
    """Open the database; what cannot be done is told, and ends the command with 2."""
    with closing(Records(database_url(database, data))) as records:
        try:
            yield AccessStore(records.engine)
        except (ValueError, NoSuchAccount) as error:
            progress_console.print(str(error), style="red")
            raise typer.Exit(BAD_CALL) from error


def _say(document: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo(words)

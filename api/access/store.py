"""Accounts, sessions and tokens, kept beside the records; each change is in the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from api.access import credentials
from api.access.scopes import SCOPES, Principal, Role, Scope
from api.access.values import (
    Account,
    NameTaken,
    NoSuchAccount,
    SignInRefused,
    Token,
    TooManyAttempts,
)
from api.database import writing
from api.orm import Account as AccountRow
from api.orm import ApiToken, SignIn
from api.records import trail

FREE_ATTEMPTS = 5
FIRST_WAIT, LONGEST_WAIT = 30, 900  # s, doubled with each wrong PIN
SHIFT = timedelta(hours=12)  # the longest session
IDLE = timedelta(hours=1)  # without anything done by hand
FIRST_MANAGER = "manager"


def _utc() -> datetime:
    return datetime.now(UTC)


class AccessStore:
    """Who may sign in, who is signed in, and which tokens are good."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = _utc) -> None:
        self._engine = engine
        self._clock = clock

    # --- people --------------------------------------------------------------------------------

    def first_manager(self) -> str | None:
        """Make a manager where nobody has an account; return the PIN, which is kept nowhere."""
        if self.has_people():
            return None
        try:
            return self.create(FIRST_MANAGER, Role.MANAGER, by="first start")
        except NameTaken:  # another process starts at this moment, and tells the PIN
            return None

    def has_people(self) -> bool:
        """Whether anybody has an account."""
        with self._reading() as session:
            return bool(session.scalar(select(func.count()).select_from(AccountRow)))

    def people(self) -> tuple[Account, ...]:
        """Return every account, by name."""
        with self._reading() as session:
            return tuple(map(_account, session.scalars(select(AccountRow).order_by("name"))))

    def create(self, name: str, role: Role, *, by: str, pin: str | None = None) -> str:
        """Make an account and return its PIN: the one given, or one of ours.

        Raises:
            NameTaken: there is one of this name.
            ValueError: no name, a machine's role, or a PIN that is too easy.
        """
        if not name.strip() or len(name) > 60 or not name.isprintable():
            raise ValueError("A name has 1 to 60 letters.")
        if role is Role.SERVICE:
            raise ValueError("A machine has a token, not an account.")
        pin = _chosen(pin)
        hashed = credentials.hash_pin(pin)
        try:
            with self._writing() as session:
                row = AccountRow(name=name.strip(), role=role, pin=hashed, created_at=self._now())
                session.add(row)
                self._note(session, by, "create account", row.name, role)
        except IntegrityError as error:
            raise NameTaken(f"There is an account {name} already.") from error
        return pin

    def change_pin(self, name: str, *, by: str, pin: str | None = None) -> str:
        """Give an account another PIN, return it, and end the sessions it had."""
        pin = _chosen(pin)
        hashed = credentials.hash_pin(pin)
        with self._writing() as session:
            row = _row(session, name)
            row.pin, row.failures, row.locked_until = hashed, 0, None
            session.execute(delete(SignIn).where(SignIn.name == name))
            self._note(session, by, "change PIN", name)
        return pin

    def issue_badge(self, name: str, *, by: str) -> str:
        """Return what a new badge says; the one before is no longer good."""
        badge = credentials.new_badge()
        with self._writing() as session:
            _row(session, name).badge = credentials.digest(badge)
            self._note(session, by, "issue badge", name)
        return badge

    def disable(self, name: str, *, by: str) -> None:
        """Let somebody in no longer, now and from now on. The last manager stays.

        Raises:
            ValueError: nobody could manage accounts any more.
        """
        with self._writing() as session:
            row = _row(session, name)
            if row.role == Role.MANAGER and self._managers(session) == [name]:
                raise ValueError(f"{name} is the last manager. Make another one first.")
            row.disabled_at = row.disabled_at or self._now()
            session.execute(delete(SignIn).where(SignIn.name == name))
            self._note(session, by, "disable account", name)

    # --- signing in ----------------------------------------------------------------------------

    def sign_in(self, name: str, pin: str) -> str:
        """Return the cookie of a new session.

        Raises:
            TooManyAttempts: wrong too often; the PIN was not looked at.
            SignInRefused: it does not fit.
        """
        kept = self._attempt(name)
        if not credentials.pin_fits(pin, kept):
            with self._writing() as session:
                self._note(session, name[:60], "sign-in refused", None)
            raise SignInRefused("Name and PIN do not fit.")
        with self._writing() as session:
            row = _row(session, name)
            row.failures, row.locked_until = 0, None
            return self._begin(session, row, "by PIN")

    def sign_in_by_badge(self, badge: str) -> str:
        """Return the cookie of a new session; raises SignInRefused for a badge of nobody."""
        with self._writing() as session:
            query = select(AccountRow).where(AccountRow.badge == credentials.digest(badge))
            row = session.scalars(query).first()
            if row is None or row.disabled_at is not None:
                raise SignInRefused("This badge is nobody's.")
            return self._begin(session, row, "by badge")

    def sign_out(self, cookie: str) -> None:
        """End a session."""
        with self._writing() as session:
            row = session.get(SignIn, credentials.digest(cookie))
            if row is not None:
                self._note(session, row.name, "sign out", None)
                session.delete(row)

    def of_cookie(self, cookie: str, *, by_hand: bool) -> Principal | None:
        """Return who holds a session's cookie; None where it has ended.

        It ends after a shift, and an hour after the last thing that was done by hand.
        """
        now = self._clock()
        with self._reading() as session:
            row = session.get(SignIn, credentials.digest(cookie))
            if row is None:
                return None
            account = session.get_one(AccountRow, row.name)
            if account.disabled_at is not None:
                return None
            if _over(row.began_at, SHIFT, now) or _over(row.used_at, IDLE, now):
                return None
            stale = by_hand and _over(row.used_at, timedelta(minutes=1), now)
            role = Role(account.role)
            name = account.name
        if stale:
            self._used(cookie)
        csrf = credentials.csrf_of(cookie)
        return Principal(name=name, role=role, scopes=SCOPES[role], csrf=csrf)

    # --- machines ------------------------------------------------------------------------------

    def create_token(
        self, name: str, scopes: Iterable[Scope], *, by: str, days: int | None = None
    ) -> tuple[str, str]:
        """Return a new token's id and the token, which is kept nowhere.

        Raises:
            ValueError: no name or scope, or one that is for people alone.
        """
        chosen = sorted(set(scopes))
        if not name.strip() or len(name) > 60 or not name.isprintable():
            raise ValueError("A name has 1 to 60 letters.")
        if not chosen or Scope.PEOPLE in chosen:
            raise ValueError("A token has at least one scope, and never people:manage.")
        secret, token_id = credentials.new_token(), secrets.token_hex(4)
        ends = None if days is None else _text(self._clock() + timedelta(days=days))
        with self._writing() as session:
            session.add(
                ApiToken(
                    digest=credentials.digest(secret),
                    token_id=token_id,
                    name=name.strip(),
                    scopes=" ".join(chosen),
                    created_at=self._now(),
                    created_by=by,
                    expires_at=ends,
                )
            )
            self._note(session, by, "create token", token_id, f"{name}: {' '.join(chosen)}")
        return token_id, secret

    def tokens(self) -> tuple[Token, ...]:
        """Return every token that was ever made, oldest first."""
        with self._reading() as session:
            query = select(ApiToken).order_by(ApiToken.created_at, ApiToken.token_id)
            return tuple(map(_token, session.scalars(query)))

    def revoke_token(self, token_id: str, *, by: str) -> None:
        """Make a token worthless, at once; raises NoSuchAccount for one that never was."""
        with self._writing() as session:
            row = session.scalars(select(ApiToken).where(ApiToken.token_id == token_id)).first()
            if row is None:
                raise NoSuchAccount(f"There is no token {token_id}.")
            row.revoked_at = row.revoked_at or self._now()
            self._note(session, by, "revoke token", token_id, row.name)

    def of_token(self, secret: str) -> Principal | None:
        """Return the machine that holds a token; None where it is not good."""
        with self._reading() as session:
            row = session.get(ApiToken, credentials.digest(secret))
            if row is None or row.revoked_at is not None:
                return None
            if row.expires_at is not None and row.expires_at <= self._now():
                return None
            allowed = frozenset(Scope(scope) for scope in row.scopes.split())
            return Principal(name=f"token {row.name}", role=Role.SERVICE, scopes=allowed)

    # --- small print ---------------------------------------------------------------------------

    def _attempt(self, name: str) -> str | None:
        """Count an attempt before it is looked at, so that many at once are not more than many."""
        with self._writing() as session:
            row = session.get(AccountRow, name)
            if row is None or row.disabled_at is not None:
                return None
            now = self._clock()
            if row.locked_until is not None and row.locked_until > _text(now):
                left = datetime.fromisoformat(row.locked_until) - now
                raise TooManyAttempts(int(left.total_seconds()) + 1)
            row.failures += 1
            if row.failures >= FREE_ATTEMPTS:
                doublings = min(row.failures - FREE_ATTEMPTS, 10)
                wait = min(FIRST_WAIT * 2**doublings, LONGEST_WAIT)
                row.locked_until = _text(now + timedelta(seconds=wait))
            return row.pin

    def _begin(self, session: Session, row: AccountRow, how: str) -> str:
        cookie, now = credentials.new_cookie(), self._now()
        oldest = _text(self._clock() - SHIFT)
        session.execute(delete(SignIn).where(SignIn.began_at < oldest))
        session.add(
            SignIn(digest=credentials.digest(cookie), name=row.name, began_at=now, used_at=now)
        )
        self._note(session, row.name, "sign in", None, how)
        return cookie

    def _used(self, cookie: str) -> None:
        """Note that something is done by hand; what is done does not fail for want of that."""
        with suppress(DBAPIError), self._writing() as session:
            row = session.get(SignIn, credentials.digest(cookie))
            if row is not None:
                row.used_at = self._now()

    def _managers(self, session: Session) -> list[str]:
        query = select(AccountRow.name).where(
            AccountRow.role == Role.MANAGER, AccountRow.disabled_at.is_(None)
        )
        return list(session.scalars(query))

    def _note(
        self, session: Session, by: str, action: str, subject: str | None, detail: str = ""
    ) -> None:
        trail.append(session, at=self._now(), by=by, action=action, subject=subject, detail=detail)

    def _now(self) -> str:
        return _text(self._clock())

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with Session(writing(self._engine)) as session, session.begin():
            yield session


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _over(since: str, span: timedelta, now: datetime) -> bool:
    return datetime.fromisoformat(since) + span <= now


def _chosen(pin: str | None) -> str:
    weakness = None if pin is None else credentials.weakness(pin)
    if weakness is not None:
        raise ValueError(weakness)
    return pin or credentials.new_pin()


def _row(session: Session, name: str) -> AccountRow:
    row = session.get(AccountRow, name, with_for_update=True)
    if row is None:
        raise NoSuchAccount(f"There is no account {name}.")
    return row


def _account(row: AccountRow) -> Account:
    return Account(
        name=row.name,
        role=Role(row.role),
        badge=row.badge is not None,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )


def _token(row: ApiToken) -> Token:
    return Token(
        token_id=row.token_id,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes.split()),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )

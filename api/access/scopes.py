"""What there is to allow, and what each role allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a route may ask of whoever calls it."""

    LINE_READ = "line:read"
    LINE_OPERATE = "line:operate"  # commands, intake, answers, alarms, routes
    RECORDS_READ = "records:read"
    RECORDS_SUMMARY = "records:summary"  # counts alone
    RECORDS_EXPORT = "records:export"  # papers and tables that leave the house
    RECORDS_OVERRIDE = "records:override"
    RECORDS_DELIVER = "records:deliver"  # a station's reports
    METRICS = "metrics:read"
    PEOPLE = "people:manage"  # accounts and tokens


# A route that asks for nobody's leave says so.
OPEN = None


class Role(StrEnum):
    """What a person, or a machine, is to the plant."""

    OPERATOR = "operator"
    QUALITY = "quality"
    MANAGER = "manager"
    PARTNER = "partner"
    SERVICE = "service"


_READS = {Scope.LINE_READ, Scope.RECORDS_READ, Scope.RECORDS_SUMMARY, Scope.METRICS}
_OPERATES = {*_READS - {Scope.METRICS}, Scope.LINE_OPERATE, Scope.RECORDS_EXPORT}
_JUDGES = {*_READS, *_OPERATES, Scope.RECORDS_OVERRIDE}

SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OPERATOR: frozenset(_OPERATES),
    Role.QUALITY: frozenset(_JUDGES),
    Role.MANAGER: frozenset({*_JUDGES, Scope.PEOPLE}),
    Role.PARTNER: frozenset({Scope.RECORDS_SUMMARY}),
    Role.SERVICE: frozenset({Scope.RECORDS_DELIVER}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever calls, as the service knows them.

    ``name`` goes into the records; None for the demonstration, where people name themselves.
    ``csrf`` is what a page of theirs sends with every change; None where there is no cookie.
    """

    name: str | None
    role: Role
    scopes: frozenset[Scope]
    csrf: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether this one is allowed that."""
        return scope in self.scopes

    def signs(self, given: str | None) -> str:
        """Return the name that a change is recorded under: a known one is not to be chosen."""
        return self.name or given or "operator"


# With simulated devices somebody is signed in from the start, and there is nobody to manage.
DEMO = Principal(name=None, role=Role.OPERATOR, scopes=frozenset(_JUDGES | {Scope.RECORDS_DELIVER}))

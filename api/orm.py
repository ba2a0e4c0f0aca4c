"""The tables. What queries need is promoted to columns; the rest of a report is JSON.

An inspection's columns show its current verdict; every verdict that was ever given stays in
``verdict``, with who gave it and why.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SHORT, LONG = 80, 200


class Base(DeclarativeBase):
    """All tables of the records."""


class Panel(Base):
    """A panel, as it was known when it was last seen."""

    __tablename__ = "panel"

    panel_id: Mapped[str] = mapped_column(String(SHORT), primary_key=True)
    serial: Mapped[str | None] = mapped_column(String(LONG))
    maker: Mapped[str | None] = mapped_column(String(LONG))
    model: Mapped[str | None] = mapped_column(String(LONG))


class Inspection(Base):
    """One visit of a panel to a line, with its current verdict."""

    __tablename__ = "inspection"
    __table_args__ = (
        Index("inspection_by_time", "measured_at", "inspection_id"),
        Index("inspection_by_verdict", "verdict", "measured_at", "inspection_id"),
        Index("inspection_by_grade", "grade", "measured_at", "inspection_id"),
        Index("inspection_by_maker", "maker", "measured_at", "inspection_id"),
        Index("inspection_by_model", "model", "measured_at", "inspection_id"),
        Index("inspection_by_lot", "lot", "measured_at", "inspection_id"),
        Index(
            "inspection_by_panel",
            "panel_id",
            "measured_at",
            "inspection_id",
            postgresql_ops={"panel_id": "text_pattern_ops"},
        ),
    )

    inspection_id: Mapped[str] = mapped_column(String(LONG), primary_key=True)
    panel_id: Mapped[str] = mapped_column(ForeignKey("panel.panel_id"))
    measured_at: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[str] = mapped_column(String(40))
    maker: Mapped[str | None] = mapped_column(String(LONG))
    model: Mapped[str | None] = mapped_column(String(LONG))
    lot: Mapped[str | None] = mapped_column(String(LONG))
    verdict: Mapped[str] = mapped_column(String(10))
    grade: Mapped[str | None] = mapped_column(String(20))
    destination: Mapped[str] = mapped_column(String(SHORT))
    p_mp: Mapped[float | None]
    nameplate_ratio: Mapped[float | None]
    rules: Mapped[str] = mapped_column(String(SHORT))
    software: Mapped[str] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)  # grows with every new verdict

    verdicts: Mapped[list[Verdict]] = relationship(order_by="Verdict.verdict_id")
    events: Mapped[list[Event]] = relationship(order_by="Event.event_id")
    reasons: Mapped[list[Reason]] = relationship()
    evidence: Mapped[list[EvidenceFile]] = relationship()
    routed: Mapped[RouteConfirmation | None] = relationship(
        primaryjoin="Inspection.inspection_id == foreign(RouteConfirmation.inspection_id)",
        viewonly=True,
        uselist=False,
    )


class Verdict(Base):
    """One verdict on an inspection; never deleted, and only ``current`` ever changes.

    ``source`` is graded, regrade or override. The report of an override is that of the verdict
    it replaces, so it is not stored again. A re-grading may wait beside the current verdict.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        Index(
            "verdict_current",
            "inspection_id",
            unique=True,
            sqlite_where=text("current"),
            postgresql_where=text("current"),
        ),
    )

    verdict_id: Mapped[int] = mapped_column(primary_key=True)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("inspection.inspection_id"), index=True)
    outcome: Mapped[str] = mapped_column(String(10))
    grade: Mapped[str | None] = mapped_column(String(20))
    destination: Mapped[str] = mapped_column(String(SHORT))
    current: Mapped[bool] = mapped_column(default=True)
    source: Mapped[str] = mapped_column(String(10))
    by: Mapped[str | None] = mapped_column(String(LONG))
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(40))
    p_mp: Mapped[float | None]
    nameplate_ratio: Mapped[float | None]
    rules: Mapped[str | None] = mapped_column(String(SHORT))
    software: Mapped[str | None] = mapped_column(String(40))
    schema: Mapped[int | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class EvidenceFile(Base):
    """One file of an inspection's evidence, by its hash."""

    __tablename__ = "evidence_file"

    inspection_id: Mapped[str] = mapped_column(
        ForeignKey("inspection.inspection_id"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(LONG), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]


class Reason(Base):
    """A reason code of the report that an inspection's current verdict stands on."""

    __tablename__ = "reason"

    code: Mapped[str] = mapped_column(String(SHORT), primary_key=True)
    measured_at: Mapped[str] = mapped_column(String(40), primary_key=True)
    inspection_id: Mapped[str] = mapped_column(
        ForeignKey("inspection.inspection_id"), primary_key=True, index=True
    )


class Event(Base):
    """One step of a visit."""

    __tablename__ = "event"

    event_id: Mapped[int] = mapped_column(primary_key=True)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("inspection.inspection_id"), index=True)
    phase: Mapped[str] = mapped_column(String(20))
    at: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str | None] = mapped_column(Text)


class RouteConfirmation(Base):
    """Who took a panel to its destination. It may come before the record of the inspection."""

    __tablename__ = "route_confirmation"

    inspection_id: Mapped[str] = mapped_column(String(LONG), primary_key=True)
    by: Mapped[str] = mapped_column(String(LONG))
    at: Mapped[str] = mapped_column(String(40))


class IntakeKey(Base):
    """An intake that was asked for under an ``Idempotency-Key``, and what it began."""

    __tablename__ = "intake_key"

    key: Mapped[str] = mapped_column(String(LONG), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))  # SHA-256 of what was asked
    inspection_id: Mapped[str] = mapped_column(String(LONG))
    at: Mapped[str] = mapped_column(String(40))


class Audit(Base):
    """Who did what, and when; ``digest`` seals an entry with all before it, see the trail."""

    __tablename__ = "audit"

    audit_id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(40), index=True)
    by: Mapped[str] = mapped_column(String(LONG))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(LONG))
    detail: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))


class GradeCount(Base):
    """How many inspections of a maker stand at each verdict and grade, kept with every change."""

    __tablename__ = "grade_count"

    verdict: Mapped[str] = mapped_column(String(10), primary_key=True)
    grade: Mapped[str] = mapped_column(String(20), primary_key=True)  # "" without a grade
    maker: Mapped[str] = mapped_column(String(LONG), primary_key=True)  # "" where unknown
    count: Mapped[int] = mapped_column(default=0)


class Account(Base):
    """A person who may sign in. PIN and badge are kept as hashes; nothing is ever deleted."""

    __tablename__ = "account"

    name: Mapped[str] = mapped_column(String(SHORT), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    pin: Mapped[str | None] = mapped_column(String(LONG))  # Argon2id
    badge: Mapped[str | None] = mapped_column(String(64), unique=True)  # SHA-256
    failures: Mapped[int] = mapped_column(default=0)  # wrong PINs in a row
    locked_until: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[str] = mapped_column(String(40))
    disabled_at: Mapped[str | None] = mapped_column(String(40))


class SignIn(Base):
    """A session of a person at a browser, by the SHA-256 of its cookie."""

    __tablename__ = "sign_in"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(ForeignKey("account.name"), index=True)
    began_at: Mapped[str] = mapped_column(String(40))
    used_at: Mapped[str] = mapped_column(String(40))  # by hand; what a page asks for itself is not


class ApiToken(Base):
    """A machine's token, by its SHA-256."""

    __tablename__ = "api_token"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(SHORT))
    scopes: Mapped[str] = mapped_column(String(LONG))  # parted by spaces
    created_at: Mapped[str] = mapped_column(String(40))
    created_by: Mapped[str] = mapped_column(String(SHORT))
    expires_at: Mapped[str | None] = mapped_column(String(40))
    revoked_at: Mapped[str | None] = mapped_column(String(40))

"""Reasons, routes, intake keys; the current verdict marked; counts by maker."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIGURES: dict[str, Any] = {
    "p_mp": sa.Double(),
    "nameplate_ratio": sa.Double(),
    "rules": sa.String(80),
    "software": sa.String(40),
}


def upgrade() -> None:
    op.create_index("inspection_by_model", "inspection", ["model", "measured_at", "inspection_id"])
    op.drop_index("inspection_by_panel", "inspection")
    op.create_index(
        "inspection_by_panel",
        "inspection",
        ["panel_id", "measured_at", "inspection_id"],
        postgresql_ops={"panel_id": "text_pattern_ops"},
    )
    _mark_current()
    _create_tables()
    _fill_reasons()
    _count_makers()


def _mark_current() -> None:
    op.add_column("verdict", sa.Column("current", sa.Boolean(), nullable=False, server_default="0"))
    for name, kind in FIGURES.items():
        op.add_column("verdict", sa.Column(name, kind))
    op.execute(
        "UPDATE verdict SET current = TRUE WHERE verdict_id IN"
        " (SELECT max(verdict_id) FROM verdict GROUP BY inspection_id)"
    )
    of_inspection = "(SELECT i.{0} FROM inspection i WHERE i.inspection_id = verdict.inspection_id)"
    values = ", ".join(f"{name} = {of_inspection.format(name)}" for name in FIGURES)
    op.execute(f"UPDATE verdict SET {values} WHERE report IS NOT NULL")
    op.create_index(
        "verdict_current",
        "verdict",
        ["inspection_id"],
        unique=True,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )


def _create_tables() -> None:
    op.create_table(
        "reason",
        sa.Column("code", sa.String(80), primary_key=True),
        sa.Column("measured_at", sa.String(40), primary_key=True),
        sa.Column(
            "inspection_id",
            sa.String(200),
            sa.ForeignKey("inspection.inspection_id"),
            primary_key=True,
        ),
    )
    op.create_index("ix_reason_inspection_id", "reason", ["inspection_id"])
    op.create_table(
        "route_confirmation",
        sa.Column("inspection_id", sa.String(200), primary_key=True),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
    )
    op.create_table(
        "intake_key",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("inspection_id", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
    )


def _fill_reasons() -> None:
    code = {
        "sqlite": "json_each.value FROM verdict v, json_each(v.report, '$.reasons')",
        "postgresql": "r.code FROM verdict v CROSS JOIN LATERAL"
        " json_array_elements_text(v.report -> 'reasons') AS r(code)",
    }[op.get_bind().dialect.name]
    chosen, _, tables = code.partition(" FROM ")
    op.execute(
        "INSERT INTO reason (code, measured_at, inspection_id)"
        f" SELECT DISTINCT {chosen}, i.measured_at, i.inspection_id FROM {tables}"
        " JOIN inspection i ON i.inspection_id = v.inspection_id WHERE v.source = 'graded'"
    )


def _count_makers() -> None:
    op.drop_table("grade_count")
    op.create_table(
        "grade_count",
        sa.Column("verdict", sa.String(10), primary_key=True),
        sa.Column("grade", sa.String(20), primary_key=True),
        sa.Column("maker", sa.String(200), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.execute(
        "INSERT INTO grade_count (verdict, grade, maker, count)"
        " SELECT verdict, coalesce(grade, ''), coalesce(maker, ''), count(*) FROM inspection"
        " GROUP BY verdict, coalesce(grade, ''), coalesce(maker, '')"
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")

"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("audit_id"),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)

    op.create_table(
        "grade_count",
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("verdict", "grade"),
    )
    op.create_table(
        "panel",
        sa.Column("panel_id", sa.String(length=80), nullable=False),
        sa.Column("serial", sa.String(length=200), nullable=True),
        sa.Column("maker", sa.String(length=200), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("panel_id"),
    )
    op.create_table(
        "inspection",
        sa.Column("inspection_id", sa.String(length=200), nullable=False),
        sa.Column("panel_id", sa.String(length=80), nullable=False),
        sa.Column("measured_at", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", sa.String(length=40), nullable=False),
        sa.Column("maker", sa.String(length=200), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("lot", sa.String(length=200), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=True),
        sa.Column("destination", sa.String(length=80), nullable=False),
        sa.Column("p_mp", sa.Double(), nullable=True),
        sa.Column("nameplate_ratio", sa.Double(), nullable=True),
        sa.Column("rules", sa.String(length=80), nullable=False),
        sa.Column("software", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["panel_id"],
            ["panel.panel_id"],
        ),
        sa.PrimaryKeyConstraint("inspection_id"),
    )
    op.create_index(
        "inspection_by_grade", "inspection", ["grade", "measured_at", "inspection_id"], unique=False
    )
    op.create_index(
        "inspection_by_lot", "inspection", ["lot", "measured_at", "inspection_id"], unique=False
    )
    op.create_index(
        "inspection_by_maker", "inspection", ["maker", "measured_at", "inspection_id"], unique=False
    )
    op.create_index(
        "inspection_by_panel",
        "inspection",
        ["panel_id", "measured_at", "inspection_id"],
        unique=False,
    )
    op.create_index(
        "inspection_by_time", "inspection", ["measured_at", "inspection_id"], unique=False
    )
    op.create_index(
        "inspection_by_verdict",
        "inspection",
        ["verdict", "measured_at", "inspection_id"],
        unique=False,
    )

    op.create_table(
        "event",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("inspection_id", sa.String(length=200), nullable=False),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"],
            ["inspection.inspection_id"],
        ),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index(op.f("ix_event_inspection_id"), "event", ["inspection_id"], unique=False)

    op.create_table(
        "evidence_file",
        sa.Column("inspection_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"],
            ["inspection.inspection_id"],
        ),
        sa.PrimaryKeyConstraint("inspection_id", "name"),
    )
    op.create_table(
        "verdict",
        sa.Column("verdict_id", sa.Integer(), nullable=False),
        sa.Column("inspection_id", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=True),
        sa.Column("destination", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=40), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"],
            ["inspection.inspection_id"],
        ),
        sa.PrimaryKeyConstraint("verdict_id"),
    )
    op.create_index(op.f("ix_verdict_inspection_id"), "verdict", ["inspection_id"], unique=False)


def downgrade() -> None:

    op.drop_index(op.f("ix_verdict_inspection_id"), "verdict")

    op.drop_table("verdict")
    op.drop_table("evidence_file")
    op.drop_index(op.f("ix_event_inspection_id"), "event")

    op.drop_table("event")
    op.drop_index("inspection_by_verdict", "inspection")
    op.drop_index("inspection_by_time", "inspection")
    op.drop_index("inspection_by_panel", "inspection")
    op.drop_index("inspection_by_maker", "inspection")
    op.drop_index("inspection_by_lot", "inspection")
    op.drop_index("inspection_by_grade", "inspection")

    op.drop_table("inspection")
    op.drop_table("panel")
    op.drop_table("grade_count")
    op.drop_index(op.f("ix_audit_at"), "audit")

    op.drop_table("audit")

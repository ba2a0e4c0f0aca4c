"""The audit trail is a chain, and every verdict has its entry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.records.trail import ENTRY, GENESIS, ROW, STATION, VERDICT, link, row_digest

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AUDIT = sa.table(
    "audit", sa.column("audit_id"), sa.column("digest"), *(sa.column(name) for name in ENTRY)
)
VERDICTS = sa.table(
    "verdict",
    sa.column("verdict_id"),
    *(sa.column(name, sa.JSON() if name == "report" else None) for name in ROW),
)
BATCH = 1000


def upgrade() -> None:
    op.add_column("audit", sa.Column("digest", sa.String(64), nullable=False, server_default=""))
    _seal_verdicts(_seal_entries())


def _seal_entries() -> str:
    connection = op.get_bind()
    before = GENESIS
    for entry in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.audit_id)).all():
        before = link(before, {name: getattr(entry, name) for name in ENTRY})
        connection.execute(
            sa.update(AUDIT).where(AUDIT.c.audit_id == entry.audit_id).values(digest=before)
        )
    return before


def _seal_verdicts(before: str) -> None:
    """What stands at the upgrade is what the trail vouches for from then on."""
    connection = op.get_bind()
    query = sa.select(VERDICTS).where(VERDICTS.c.verdict_id > sa.bindparam("after"))
    query = query.order_by(VERDICTS.c.verdict_id).limit(BATCH)
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        for row in rows:
            entry = {
                "at": row.created_at,
                "by": row.by or STATION,
                "action": VERDICT,
                "subject": row.inspection_id,
                "detail": f"{row.verdict_id} "
                + row_digest({name: getattr(row, name) for name in ROW}),
            }
            before = link(before, entry)
            connection.execute(sa.insert(AUDIT).values(**entry, digest=before))
            after = row.verdict_id


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")

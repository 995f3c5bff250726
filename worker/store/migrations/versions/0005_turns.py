"""turns of waiting jobs, erasures

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_jobs_owner_state_created_at": ["owner", "state", "created_at", "id"],
    "ix_jobs_state_turn": ["state", "turn", "created_at", "id"],
    "ix_jobs_state_queued_at": ["state", "queue", "queued_at", "id"],
    "ix_jobs_state_finished_at": ["state", "finished_at"],
}


def upgrade() -> None:
    # The default makes room for the column without writing every row anew.
    op.add_column("jobs", sa.Column("turn", sa.Integer(), server_default="0", nullable=False))
    for name, columns in INDEXES.items():
        op.create_index(name, "jobs", columns)
    op.create_table(
        "erasures",
        sa.Column("trace", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("erased_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("trace", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_created_at", "erasures", ["created_at"])
    op.execute(
        """
        UPDATE jobs SET turn = ranked.turn FROM (
            SELECT waiting.id AS id,
                   ROW_NUMBER() OVER (PARTITION BY waiting.owner ORDER BY waiting.created_at, waiting.id) - 1
                   + COALESCE(active.number, 0) AS turn
            FROM jobs AS waiting
            LEFT JOIN (
                SELECT owner, COUNT(*) AS number FROM jobs WHERE state IN ('queued', 'running') GROUP BY owner
            ) AS active ON active.owner = waiting.owner
            WHERE waiting.state = 'waiting'
        ) AS ranked
        WHERE jobs.id = ranked.id
        """
    )


def downgrade() -> None:
    op.drop_table("erasures")
    for name in INDEXES:
        op.drop_index(name, table_name="jobs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("turn")

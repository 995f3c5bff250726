"""the styles of a job are one list

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AT_ONCE = 1000

jobs = sa.table(
    "jobs",
    sa.column("id", sa.String),
    sa.column("style", sa.String),
    sa.column("more_styles", sa.JSON),
    sa.column("styles", sa.JSON),
)


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("styles", sa.JSON(), server_default="[]", nullable=False))
    connection = op.get_bind()
    rows = connection.execute(sa.select(jobs.c.id, jobs.c.style, jobs.c.more_styles)).all()
    fill = jobs.update().where(jobs.c.id == sa.bindparam("job")).values(styles=sa.bindparam("all"))
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        connection.execute(fill, [{"job": row.id, "all": [row.style, *row.more_styles]} for row in part])
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("style")
        batch_op.drop_column("more_styles")


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("style", sa.String(length=120), server_default="", nullable=False))
        batch_op.add_column(sa.Column("more_styles", sa.JSON(), server_default="[]", nullable=False))
    connection = op.get_bind()
    rows = connection.execute(sa.select(jobs.c.id, jobs.c.styles)).all()
    fill = jobs.update().where(jobs.c.id == sa.bindparam("job"))
    fill = fill.values(style=sa.bindparam("first"), more_styles=sa.bindparam("rest"))
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        connection.execute(
            fill, [{"job": row.id, "first": row.styles[0], "rest": row.styles[1:]} for row in part]
        )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.alter_column("style", existing_type=sa.String(length=120), server_default=None)
        batch_op.drop_column("styles")

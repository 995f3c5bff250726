"""visitors: the page's ids are kept as hashes only; who counts as one in line

Revision ID: 0006
Revises: 0005
"""

import hashlib
import re

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

VISITOR = re.compile(r"web:[A-Za-z0-9_-]{32}")
HASH = re.compile(r"web:[0-9a-f]{32}")


def hashed(owner: str) -> str:
    """What ``webui.people.owner_of`` makes of the id that the owner string used to be."""
    return "web:" + hashlib.sha256(b"visitor:" + owner.removeprefix("web:").encode()).hexdigest()[:32]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("party", sa.String(length=120), server_default="", nullable=False))
    connection = op.get_bind()
    users = sa.table("users", *(sa.column(name) for name in ("owner", "language", "defaults", "created_at")))
    owned = [sa.table(name, sa.column("owner")) for name in ("jobs", "drafts", "blobs")]
    everybody = connection.execute(sa.select(users.c.owner).where(users.c.owner.like("web:%"))).scalars()
    # A random id of hexadecimal digits only was never drawn: those are hashes from before a downgrade.
    for old in [one for one in everybody.all() if VISITOR.fullmatch(one) and not HASH.fullmatch(one)]:
        new, rest = hashed(old), ("language", "defaults", "created_at")
        copy = sa.select(sa.literal(new), *(users.c[name] for name in rest)).where(users.c.owner == old)
        connection.execute(users.insert().from_select(["owner", *rest], copy))
        for table in owned:
            connection.execute(table.update().where(table.c.owner == old).values(owner=new))
        connection.execute(users.delete().where(users.c.owner == old))
    op.execute("UPDATE jobs SET party = owner")
    op.create_index("ix_jobs_party_state_created_at", "jobs", ["party", "state", "created_at", "id"])


def downgrade() -> None:
    # The ids themselves are gone; their hashes stay valid owners.
    op.drop_index("ix_jobs_party_state_created_at", table_name="jobs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("party")

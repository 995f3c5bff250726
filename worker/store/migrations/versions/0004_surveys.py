"""surveys

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pseudonym_keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pseudonym_keys")),
    )
    op.create_table(
        "quick_ratings",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("rater", sa.String(length=32), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("style", sa.String(length=120), nullable=False),
        sa.Column("model_hash", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "rater", name=op.f("pk_quick_ratings")),
    )
    with op.batch_alter_table("quick_ratings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quick_ratings_method"), ["method"], unique=False)
        batch_op.create_index(batch_op.f("ix_quick_ratings_rater"), ["rater"], unique=False)

    op.create_table(
        "studies",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("withdrawn", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=True),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_studies")),
    )
    op.create_table(
        "study_pairs",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("study", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=90), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("photo_title", sa.String(length=120), nullable=False),
        sa.Column("style_title", sa.String(length=120), nullable=False),
        sa.Column("style", sa.String(length=120), nullable=False),
        sa.Column("photo_key", sa.String(length=64), nullable=True),
        sa.Column("style_key", sa.String(length=64), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.String(length=16), nullable=True),
        sa.Column("result_key", sa.String(length=64), nullable=True),
        sa.Column("model_hash", sa.String(length=64), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study"], ["studies.name"], name=op.f("fk_study_pairs_study_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_pairs")),
    )
    with op.batch_alter_table("study_pairs", schema=None) as batch_op:
        batch_op.create_index("ix_study_pairs_study_number", ["study", "number"], unique=True)

    op.create_table(
        "study_raters",
        sa.Column("study", sa.String(length=40), nullable=False),
        sa.Column("rater", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("pairs", sa.JSON(), nullable=False),
        sa.Column("consented_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study"], ["studies.name"], name=op.f("fk_study_raters_study_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study", "rater", name=op.f("pk_study_raters")),
    )
    with op.batch_alter_table("study_raters", schema=None) as batch_op:
        batch_op.create_index("ix_study_raters_study_number", ["study", "number"], unique=True)

    op.create_table(
        "study_exclusions",
        sa.Column("study", sa.String(length=40), nullable=False),
        sa.Column("rater", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study", "rater"],
            ["study_raters.study", "study_raters.rater"],
            name=op.f("fk_study_exclusions_study_study_raters"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study", "rater", name=op.f("pk_study_exclusions")),
    )
    op.create_table(
        "study_links",
        sa.Column("study", sa.String(length=40), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("rater", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["study", "rater"],
            ["study_raters.study", "study_raters.rater"],
            name=op.f("fk_study_links_study_study_raters"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study", "alias", name=op.f("pk_study_links")),
    )
    op.create_table(
        "study_ratings",
        sa.Column("study", sa.String(length=40), nullable=False),
        sa.Column("rater", sa.String(length=32), nullable=False),
        sa.Column("pair_id", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=16), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"],
            ["study_pairs.id"],
            name=op.f("fk_study_ratings_pair_id_study_pairs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study", "rater"],
            ["study_raters.study", "study_raters.rater"],
            name=op.f("fk_study_ratings_study_study_raters"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study", "rater", "pair_id", name=op.f("pk_study_ratings")),
    )
    with op.batch_alter_table("study_ratings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_study_ratings_pair_id"), ["pair_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("study_ratings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_study_ratings_pair_id"))

    op.drop_table("study_ratings")
    op.drop_table("study_links")
    op.drop_table("study_exclusions")
    with op.batch_alter_table("study_raters", schema=None) as batch_op:
        batch_op.drop_index("ix_study_raters_study_number")

    op.drop_table("study_raters")
    with op.batch_alter_table("study_pairs", schema=None) as batch_op:
        batch_op.drop_index("ix_study_pairs_study_number")

    op.drop_table("study_pairs")
    op.drop_table("studies")
    with op.batch_alter_table("quick_ratings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quick_ratings_rater"))
        batch_op.drop_index(batch_op.f("ix_quick_ratings_method"))

    op.drop_table("quick_ratings")
    op.drop_table("pseudonym_keys")

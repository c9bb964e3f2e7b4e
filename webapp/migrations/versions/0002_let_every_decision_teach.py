"""Let every decision teach: several kinds of row a label, blind labels, weights, blame, effects, a retriever that learns"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("label", sa.Column("is_blind", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("label", sa.Column("weight", sa.Double(), nullable=False, server_default="1"))
    op.add_column("release", sa.Column("retriever_path", sa.String(length=400), nullable=True))
    op.add_column("release", sa.Column("retriever_sha256", sa.String(length=64), nullable=True))
    op.add_column("evaluation_row", sa.Column("split", sa.String(length=8), nullable=False, server_default="fixed"))
    op.add_column("evaluation_row", sa.Column("before_rank", sa.Integer(), nullable=True))
    op.add_column("evaluation_row", sa.Column("after_rank", sa.Integer(), nullable=True))
    op.add_column("evaluation_row", sa.Column("before_blame", sa.String(length=24), nullable=False, server_default=""))
    op.add_column("evaluation_row", sa.Column("after_blame", sa.String(length=24), nullable=False, server_default=""))
    _let_a_label_yield_several_kinds()
    op.create_table(
        "label_effect",
        sa.Column("iteration_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("before_text", sa.Text(), nullable=False),
        sa.Column("after_text", sa.Text(), nullable=False),
        sa.Column("before_f1", sa.Double(), nullable=False),
        sa.Column("after_f1", sa.Double(), nullable=False),
        sa.Column("before_rank", sa.Integer(), nullable=True),
        sa.Column("after_rank", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["iteration_id"], ["iteration.id"]),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"]),
        sa.PrimaryKeyConstraint("iteration_id", "label_id"),
    )
    op.create_index("ix_label_effect_label_id", "label_effect", ["label_id"], unique=False)


def _let_a_label_yield_several_kinds() -> None:
    """A wider primary key, which SQLite cannot change in place: a new table takes the rows."""
    wider = op.create_table(
        "dataset_label_wider",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"]),
        sa.PrimaryKeyConstraint("dataset_id", "label_id", "kind"),
    )
    columns = ["dataset_id", "label_id", "split", "kind"]
    old = sa.table("dataset_label", *(sa.column(name) for name in columns))
    op.execute(wider.insert().from_select(columns, sa.select(old)))
    op.drop_table("dataset_label")
    op.rename_table("dataset_label_wider", "dataset_label")
    op.create_index("ix_dataset_label_label_id", "dataset_label", ["label_id"], unique=False)


def downgrade() -> None:
    raise RuntimeError("Going back would lose what labels taught; restore the copy in backups/ instead.")

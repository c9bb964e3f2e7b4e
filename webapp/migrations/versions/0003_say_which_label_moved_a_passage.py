"""Say which label moved a passage in the ranking, and how far"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answer_passage", sa.Column("lift", sa.Double(), nullable=False, server_default="0"))
    op.add_column("answer_passage", sa.Column("lift_label_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Going back would lose what labels taught; restore the copy in backups/ instead.")

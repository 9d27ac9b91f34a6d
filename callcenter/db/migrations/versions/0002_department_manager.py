"""a department's manager is a user

Tables that name each other need the second constraint added apart; the first migration left it out.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE department SET manager_id = NULL WHERE manager_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM user_account u WHERE u.id = department.manager_id)"
    )
    op.create_foreign_key(
        "fk_department_manager_id", "department", "user_account", ["manager_id"], ["id"], ondelete="SET NULL"
    )


def downgrade() -> None:
    op.drop_constraint("fk_department_manager_id", "department", type_="foreignkey")

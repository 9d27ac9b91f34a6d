"""knowledge

The knowledge base: categories, articles, their versions, votes, and the campaigns and queues that they belong to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls
from callcenter.db.session import APP_ROLE

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FENCED = (
    "knowledge_category", "knowledge_article", "knowledge_version", "knowledge_vote", "knowledge_campaign",
    "knowledge_queue",
)  # fmt: skip
GIVEN = {
    "knowledge.read": ("owner", "admin", "supervisor", "agent"),
    "knowledge.write": ("owner", "admin", "supervisor"),
}
# Under row-level security PostgreSQL may not search by an index of words: this asks as the owner, for the session's
# enterprise only, as those of migration 0009 do. The enterprise is a word of each article too, so that the index is
# read for this enterprise alone; the condition after it is what fences.
_FINDER = """
CREATE FUNCTION knowledge_with(wanted tsquery) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER ROWS 50 SET search_path = public, pg_temp SET enable_seqscan = off AS $$
  WITH own AS (SELECT nullif(current_setting('app.tenant', true), '')::bigint AS id),
  found AS MATERIALIZED (
    SELECT a.id, a.tenant_id FROM knowledge_article a
    WHERE a.words @@ ((SELECT '''enterprise:' || id || '''' FROM own)::tsquery && wanted)
  )
  SELECT found.id FROM found JOIN own ON own.id = found.tenant_id
$$
"""


def _of_tenant(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name=f"fk_{table}_tenant_id", ondelete="CASCADE"),
    ]


def _numbered(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def _at(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _text(name: str, default: str | None = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _count(name: str, default: str = "0") -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=default, nullable=False)


def _tags() -> sa.Column[list[str]]:
    return sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)


def _words(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False)


def _articles() -> None:
    op.create_table(
        "knowledge_category",
        _text("name", None),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        *_numbered("knowledge_category"),
        *_of_tenant("knowledge_category"),
        _at("created_at"),
        _at("updated_at"),
        sa.ForeignKeyConstraint(["parent_id"], ["knowledge_category.id"], name="fk_knowledge_category_parent_id"),
        sa.UniqueConstraint(
            "tenant_id", "parent_id", "name", name="uq_knowledge_category_tenant_id_parent_id_name",
            postgresql_nulls_not_distinct=True,
        ),
    )  # fmt: skip
    op.create_index("ix_knowledge_category_tenant_id", "knowledge_category", ["tenant_id"])
    op.create_index("ix_knowledge_category_parent_id", "knowledge_category", ["parent_id"])
    op.create_table(
        "knowledge_article",
        sa.Column("category_id", sa.BigInteger(), nullable=True),
        _text("title", None),
        _text("title_key"),
        _text("body"),
        _tags(),
        _text("state", "draft"),
        sa.Column("valid_until", sa.Date(), nullable=True),
        _count("revision", "1"),
        _count("views"),
        _count("helped"),
        _count("not_helped"),
        _words("head"),
        _words("words"),
        _text("changed_by"),
        _at("changed_at"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        *_numbered("knowledge_article"),
        *_of_tenant("knowledge_article"),
        _at("created_at"),
        _at("updated_at"),
        sa.ForeignKeyConstraint(["category_id"], ["knowledge_category.id"], name="fk_knowledge_article_category_id"),
    )
    op.create_index("ix_knowledge_article_tenant_id", "knowledge_article", ["tenant_id"])
    op.create_index("ix_knowledge_article_category_id", "knowledge_article", ["category_id"])
    # Articles are written seldom and searched all day.
    op.create_index(
        "ix_knowledge_article_words", "knowledge_article", ["words"], postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )  # fmt: skip
    op.create_table(
        "knowledge_version",
        sa.Column("article_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("title", None),
        _text("body", None),
        _tags(),
        sa.Column("restored", sa.Integer(), nullable=True),
        sa.Column("by_id", sa.BigInteger(), nullable=True),
        _text("by_name"),
        _at("saved_at"),
        *_of_tenant("knowledge_version"),
        _of_article("knowledge_version"),
        sa.PrimaryKeyConstraint("article_id", "version", name="pk_knowledge_version"),
    )
    op.create_index("ix_knowledge_version_tenant_id", "knowledge_version", ["tenant_id"])


def _of_article(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["article_id"], ["knowledge_article.id"], name=f"fk_{table}_article_id", ondelete="CASCADE"
    )


def _beside(table: str, column: str, target: str, *more: sa.schema.SchemaItem) -> None:
    """A table of pairs: an article, and what it has to do with."""
    op.create_table(
        table,
        sa.Column("article_id", sa.BigInteger(), nullable=False),
        sa.Column(column, sa.BigInteger(), nullable=False),
        *more,
        *_of_tenant(table),
        _of_article(table),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", column, name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_tenant_id", table, ["tenant_id"])
    op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    _articles()
    helped = sa.Column("helped", sa.Boolean(), nullable=False)
    _beside("knowledge_vote", "user_id", "user_account", helped, _at("created_at"), _at("updated_at"))
    _beside("knowledge_campaign", "campaign_id", "campaign")
    _beside("knowledge_queue", "queue_id", "queue")
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)
    op.execute(_FINDER)
    op.execute("REVOKE ALL ON FUNCTION knowledge_with(tsquery) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION knowledge_with(tsquery) TO {APP_ROLE}")
    for permission, keys in GIVEN.items():
        op.execute(
            sa.text(
                "UPDATE role SET permissions = array_append(permissions, :permission)"
                " WHERE built_in AND key = ANY(:keys) AND NOT :permission = ANY(permissions)"
            ).bindparams(
                sa.bindparam("permission", permission, type_=sa.Text()),
                sa.bindparam("keys", list(keys), type_=postgresql.ARRAY(sa.Text())),
            )
        )


def downgrade() -> None:
    for permission in GIVEN:
        op.execute(
            sa.text("UPDATE role SET permissions = array_remove(permissions, :permission)").bindparams(
                sa.bindparam("permission", permission, type_=sa.Text())
            )
        )
    op.execute("DROP FUNCTION knowledge_with(tsquery)")
    for table in reversed(FENCED):
        op.drop_table(table)

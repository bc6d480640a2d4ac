"""The registry: nine resources, their links, and the log of changes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "20261122_registry"
down_revision: str | None = None
branch_labels = None
depends_on = None

# Ids, codes, dates and sort keys: text in byte order on both engines.
BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_COMMIT: Any = {"initially": "DEFERRED", "deferrable": True}


def upgrade() -> None:
    """Create every table; PostgreSQL wants the table a key refers to first, so one key of a cycle comes last."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    country = sa.ForeignKeyConstraint(["country"], ["places.id"], name="fk_partners_country_places", **AT_COMMIT)
    op.create_table(
        "changes",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("at", BYTEWISE, nullable=False),
        sa.Column("actor", BYTEWISE, nullable=False),
        sa.Column("action", BYTEWISE, nullable=False),
        sa.Column("resource", BYTEWISE, nullable=False),
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("digest", BYTEWISE, nullable=False),
        sa.Column("chain", BYTEWISE, nullable=False),
        sa.CheckConstraint("action IN ('create', 'update', 'delete')", name=op.f("ck_changes_action")),
        sa.PrimaryKeyConstraint("sequence", name="pk_changes"),
    )
    op.create_index("ix_changes_actor_sequence", "changes", ["actor", "sequence"])
    op.create_index("ix_changes_resource_record_id_sequence", "changes", ["resource", "record_id", "sequence"])
    op.create_table(
        "partners",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("parent", BYTEWISE, nullable=True),
        sa.Column("country", BYTEWISE, nullable=True),
        sa.Column("merged_into", BYTEWISE, nullable=True),
        sa.Column("collective", sa.Boolean(), nullable=False),
        sa.Column("name_sort", BYTEWISE, nullable=False),
        sa.Column("name_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('state', 'government', 'local_government', 'other_public', 'international_organisation', 'ngo', 'company', 'academic', 'media', 'collective', 'other')",
            name=op.f("ck_partners_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_partners_state")),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_partners_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_partners_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["merged_into"], ["partners.id"], name="fk_partners_merged_into_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["parent"], ["partners.id"], name="fk_partners_parent_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_partners"),
        sa.UniqueConstraint("change", name="uq_partners_change"),
        *([] if is_postgresql else [country]),
    )
    op.create_index("ix_partners_collective", "partners", ["collective"])
    op.create_index("ix_partners_country", "partners", ["country"])
    op.create_index("ix_partners_kind_id", "partners", ["kind", "id"])
    op.create_index("ix_partners_managed_by", "partners", ["managed_by"])
    op.create_index("ix_partners_merged_into", "partners", ["merged_into"])
    op.create_index("ix_partners_name_sort_id", "partners", ["name_sort", "id"])
    op.create_index("ix_partners_parent", "partners", ["parent"])
    op.create_index("ix_partners_updated_at_id", "partners", ["updated_at", "id"])
    op.create_table(
        "places",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("level", BYTEWISE, nullable=False),
        sa.Column("parent", BYTEWISE, nullable=True),
        sa.Column("code", BYTEWISE, nullable=True),
        sa.Column("period_earliest", BYTEWISE, nullable=True),
        sa.Column("period_latest", BYTEWISE, nullable=True),
        sa.Column("name_sort", BYTEWISE, nullable=False),
        sa.Column("name_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "level IN ('world', 'world_region', 'country', 'region', 'province', 'locality')",
            name=op.f("ck_places_level"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_places_state")),
        sa.CheckConstraint("period_earliest <= period_latest", name=op.f("ck_places_period")),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_places_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_places_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["parent"], ["places.id"], name="fk_places_parent_places", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_places"),
        sa.UniqueConstraint("change", name="uq_places_change"),
    )
    op.create_index("ix_places_level_id", "places", ["level", "id"])
    op.create_index("ix_places_managed_by", "places", ["managed_by"])
    op.create_index("ix_places_name_sort_id", "places", ["name_sort", "id"])
    op.create_index("ix_places_parent", "places", ["parent"])
    op.create_index("ix_places_updated_at_id", "places", ["updated_at", "id"])
    op.create_index(
        "uq_places_code",
        "places",
        ["code"],
        unique=True,
        sqlite_where=sa.text("period_earliest IS NULL"),
        postgresql_where=sa.text("period_earliest IS NULL"),
    )
    op.create_index("uq_places_code_period", "places", ["code", "period_earliest"], unique=True)
    if is_postgresql:
        op.create_foreign_key("fk_partners_country_places", "partners", "places", ["country"], ["id"], **AT_COMMIT)
    op.create_table(
        "documents",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("status", BYTEWISE, nullable=True),
        sa.Column("number", BYTEWISE, nullable=True),
        sa.Column("issuer", BYTEWISE, nullable=True),
        sa.Column("sha256", BYTEWISE, nullable=True),
        sa.Column("published_on_earliest", BYTEWISE, nullable=True),
        sa.Column("published_on_latest", BYTEWISE, nullable=True),
        sa.Column("happened_on_earliest", BYTEWISE, nullable=True),
        sa.Column("happened_on_latest", BYTEWISE, nullable=True),
        sa.Column("title_sort", BYTEWISE, nullable=False),
        sa.Column("title_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('news', 'legal_instrument', 'strategy_or_plan', 'publication', 'international_goals', 'report', 'web_page')",
            name=op.f("ck_documents_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_documents_state")),
        sa.CheckConstraint("status IN ('in_force', 'draft', 'proposed', 'unknown')", name=op.f("ck_documents_status")),
        sa.CheckConstraint("happened_on_earliest <= happened_on_latest", name=op.f("ck_documents_happened_on")),
        sa.CheckConstraint("published_on_earliest <= published_on_latest", name=op.f("ck_documents_published_on")),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_documents_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["issuer"], ["partners.id"], name="fk_documents_issuer_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_documents_managed_by_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("change", name="uq_documents_change"),
    )
    op.create_index("ix_documents_happened_on_earliest_id", "documents", ["happened_on_earliest", "id"])
    op.create_index("ix_documents_issuer", "documents", ["issuer"])
    op.create_index("ix_documents_kind_id", "documents", ["kind", "id"])
    op.create_index("ix_documents_managed_by", "documents", ["managed_by"])
    op.create_index("ix_documents_number", "documents", ["number"])
    op.create_index("ix_documents_published_on_earliest_id", "documents", ["published_on_earliest", "id"])
    op.create_index("ix_documents_sha256", "documents", ["sha256"])
    op.create_index("ix_documents_status_id", "documents", ["status", "id"])
    op.create_index("ix_documents_title_sort_id", "documents", ["title_sort", "id"])
    op.create_index("ix_documents_updated_at_id", "documents", ["updated_at", "id"])
    op.create_table(
        "projects",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("status", BYTEWISE, nullable=False),
        sa.Column("period_earliest", BYTEWISE, nullable=True),
        sa.Column("period_latest", BYTEWISE, nullable=True),
        sa.Column("title_sort", BYTEWISE, nullable=False),
        sa.Column("title_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('framework', 'programme', 'project', 'phase', 'batch', 'group', 'initiative', 'plan', 'mechanism', 'requested_support')",
            name=op.f("ck_projects_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_projects_state")),
        sa.CheckConstraint(
            "status IN ('requested', 'proposed', 'committed', 'agreed', 'active', 'past', 'completed', 'suspended', 'cancelled', 'unknown')",
            name=op.f("ck_projects_status"),
        ),
        sa.CheckConstraint("period_earliest <= period_latest", name=op.f("ck_projects_period")),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_projects_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_projects_managed_by_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("change", name="uq_projects_change"),
    )
    op.create_index("ix_projects_kind_id", "projects", ["kind", "id"])
    op.create_index("ix_projects_managed_by", "projects", ["managed_by"])
    op.create_index("ix_projects_period_earliest_id", "projects", ["period_earliest", "id"])
    op.create_index("ix_projects_period_latest_id", "projects", ["period_latest", "id"])
    op.create_index("ix_projects_status_id", "projects", ["status", "id"])
    op.create_index("ix_projects_title_sort_id", "projects", ["title_sort", "id"])
    op.create_index("ix_projects_updated_at_id", "projects", ["updated_at", "id"])
    op.create_table(
        "agreements",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("status", BYTEWISE, nullable=False),
        sa.Column("signed_on_earliest", BYTEWISE, nullable=True),
        sa.Column("signed_on_latest", BYTEWISE, nullable=True),
        sa.Column("signed_in", BYTEWISE, nullable=True),
        sa.Column("period_earliest", BYTEWISE, nullable=True),
        sa.Column("period_latest", BYTEWISE, nullable=True),
        sa.Column("part_of", BYTEWISE, nullable=True),
        sa.Column("title_sort", BYTEWISE, nullable=False),
        sa.Column("title_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('memorandum_of_understanding', 'framework_agreement', 'free_trade_agreement', 'treaty', 'loan_agreement', 'grant_agreement', 'letter_of_intent', 'contract', 'project_document', 'other')",
            name=op.f("ck_agreements_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_agreements_state")),
        sa.CheckConstraint(
            "status IN ('intended', 'signed', 'in_force', 'ended', 'claimed')", name=op.f("ck_agreements_status")
        ),
        sa.CheckConstraint("period_earliest <= period_latest", name=op.f("ck_agreements_period")),
        sa.CheckConstraint("signed_on_earliest <= signed_on_latest", name=op.f("ck_agreements_signed_on")),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_agreements_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_agreements_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["part_of"], ["agreements.id"], name="fk_agreements_part_of_agreements", **AT_COMMIT),
        sa.ForeignKeyConstraint(["signed_in"], ["places.id"], name="fk_agreements_signed_in_places", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_agreements"),
        sa.UniqueConstraint("change", name="uq_agreements_change"),
    )
    op.create_index("ix_agreements_kind_id", "agreements", ["kind", "id"])
    op.create_index("ix_agreements_managed_by", "agreements", ["managed_by"])
    op.create_index("ix_agreements_part_of", "agreements", ["part_of"])
    op.create_index("ix_agreements_period_earliest_id", "agreements", ["period_earliest", "id"])
    op.create_index("ix_agreements_signed_in", "agreements", ["signed_in"])
    op.create_index("ix_agreements_signed_on_earliest_id", "agreements", ["signed_on_earliest", "id"])
    op.create_index("ix_agreements_status_id", "agreements", ["status", "id"])
    op.create_index("ix_agreements_title_sort_id", "agreements", ["title_sort", "id"])
    op.create_index("ix_agreements_updated_at_id", "agreements", ["updated_at", "id"])
    op.create_table(
        "milestones",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("status", BYTEWISE, nullable=False),
        sa.Column("date_earliest", BYTEWISE, nullable=True),
        sa.Column("date_latest", BYTEWISE, nullable=True),
        sa.Column("place", BYTEWISE, nullable=True),
        sa.Column("part_of", BYTEWISE, nullable=True),
        sa.Column("project", BYTEWISE, nullable=True),
        sa.Column("agreement", BYTEWISE, nullable=True),
        sa.Column("title_sort", BYTEWISE, nullable=False),
        sa.Column("title_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('meeting', 'visit', 'signing', 'approval', 'launch', 'start', 'end', 'completion', 'publication', 'training', 'chairmanship', 'target_date', 'consultation', 'event')",
            name=op.f("ck_milestones_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_milestones_state")),
        sa.CheckConstraint("status IN ('planned', 'done', 'cancelled', 'unknown')", name=op.f("ck_milestones_status")),
        sa.CheckConstraint("date_earliest <= date_latest", name=op.f("ck_milestones_date")),
        sa.ForeignKeyConstraint(
            ["agreement"], ["agreements.id"], name="fk_milestones_agreement_agreements", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_milestones_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_milestones_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["part_of"], ["milestones.id"], name="fk_milestones_part_of_milestones", **AT_COMMIT),
        sa.ForeignKeyConstraint(["place"], ["places.id"], name="fk_milestones_place_places", **AT_COMMIT),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name="fk_milestones_project_projects", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_milestones"),
        sa.UniqueConstraint("change", name="uq_milestones_change"),
    )
    op.create_index("ix_milestones_agreement", "milestones", ["agreement"])
    op.create_index("ix_milestones_date_earliest_id", "milestones", ["date_earliest", "id"])
    op.create_index("ix_milestones_kind_id", "milestones", ["kind", "id"])
    op.create_index("ix_milestones_managed_by", "milestones", ["managed_by"])
    op.create_index("ix_milestones_part_of", "milestones", ["part_of"])
    op.create_index("ix_milestones_place", "milestones", ["place"])
    op.create_index("ix_milestones_project", "milestones", ["project"])
    op.create_index("ix_milestones_status_id", "milestones", ["status", "id"])
    op.create_index("ix_milestones_title_sort_id", "milestones", ["title_sort", "id"])
    op.create_index("ix_milestones_updated_at_id", "milestones", ["updated_at", "id"])
    op.create_table(
        "statements",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("said_by_id", BYTEWISE, nullable=True),
        sa.Column("relayed_for_id", BYTEWISE, nullable=True),
        sa.Column("project", BYTEWISE, nullable=True),
        sa.Column("agreement", BYTEWISE, nullable=True),
        sa.Column("occasion", BYTEWISE, nullable=True),
        sa.Column("due_earliest", BYTEWISE, nullable=True),
        sa.Column("due_latest", BYTEWISE, nullable=True),
        sa.Column("summary_sort", BYTEWISE, nullable=False),
        sa.Column("summary_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('request', 'commitment', 'recommendation', 'objective', 'plan', 'expectation', 'claim', 'assessment')",
            name=op.f("ck_statements_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_statements_state")),
        sa.CheckConstraint("due_earliest <= due_latest", name=op.f("ck_statements_due")),
        sa.ForeignKeyConstraint(
            ["agreement"], ["agreements.id"], name="fk_statements_agreement_agreements", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_statements_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_statements_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["occasion"], ["milestones.id"], name="fk_statements_occasion_milestones", **AT_COMMIT),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name="fk_statements_project_projects", **AT_COMMIT),
        sa.ForeignKeyConstraint(
            ["relayed_for_id"], ["partners.id"], name="fk_statements_relayed_for_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(["said_by_id"], ["partners.id"], name="fk_statements_said_by_id_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_statements"),
        sa.UniqueConstraint("change", name="uq_statements_change"),
    )
    op.create_index("ix_statements_agreement", "statements", ["agreement"])
    op.create_index("ix_statements_due_earliest_id", "statements", ["due_earliest", "id"])
    op.create_index("ix_statements_kind_id", "statements", ["kind", "id"])
    op.create_index("ix_statements_managed_by", "statements", ["managed_by"])
    op.create_index("ix_statements_occasion", "statements", ["occasion"])
    op.create_index("ix_statements_project", "statements", ["project"])
    op.create_index("ix_statements_relayed_for_id", "statements", ["relayed_for_id"])
    op.create_index("ix_statements_said_by_id", "statements", ["said_by_id"])
    op.create_index("ix_statements_summary_sort_id", "statements", ["summary_sort", "id"])
    op.create_index("ix_statements_updated_at_id", "statements", ["updated_at", "id"])
    op.create_table(
        "indicators",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("unit", BYTEWISE, nullable=False),
        sa.Column("direction", BYTEWISE, nullable=False),
        sa.Column("name_sort", BYTEWISE, nullable=False),
        sa.Column("name_text", sa.Text(), nullable=False),
        sa.CheckConstraint("direction IN ('up', 'down', 'none')", name=op.f("ck_indicators_direction")),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_indicators_state")),
        sa.CheckConstraint(
            "unit IN ('USD', 'VND', 'EUR', 'CHF', 'percent', 'percentage_point', 'year', 'month', 'ordinal', 'enterprise', 'person', 'industrial_park', 'document', 'agreement', 'initiative', 'country', 'organisation', 'party', 'project', 'tonne_co2e')",
            name=op.f("ck_indicators_unit"),
        ),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_indicators_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_indicators_managed_by_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_indicators"),
        sa.UniqueConstraint("change", name="uq_indicators_change"),
    )
    op.create_index("ix_indicators_managed_by", "indicators", ["managed_by"])
    op.create_index("ix_indicators_name_sort_id", "indicators", ["name_sort", "id"])
    op.create_index("ix_indicators_unit_id", "indicators", ["unit", "id"])
    op.create_index("ix_indicators_updated_at_id", "indicators", ["updated_at", "id"])
    op.create_table(
        "figures",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("indicator", BYTEWISE, nullable=False),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", BYTEWISE, nullable=False),
        sa.Column("qualifier", BYTEWISE, nullable=False),
        sa.Column("measured", BYTEWISE, nullable=True),
        sa.Column("period_earliest", BYTEWISE, nullable=True),
        sa.Column("period_latest", BYTEWISE, nullable=True),
        sa.Column("project", BYTEWISE, nullable=True),
        sa.Column("agreement", BYTEWISE, nullable=True),
        sa.Column("partner", BYTEWISE, nullable=True),
        sa.Column("milestone", BYTEWISE, nullable=True),
        sa.Column("document", BYTEWISE, nullable=True),
        sa.Column("said_by_id", BYTEWISE, nullable=True),
        sa.Column("relayed_for_id", BYTEWISE, nullable=True),
        sa.CheckConstraint(
            "kind IN ('target', 'plan', 'actual', 'baseline', 'context', 'rank', 'duration')",
            name=op.f("ck_figures_kind"),
        ),
        sa.CheckConstraint("measured IN ('over_period', 'cumulative', 'at_date')", name=op.f("ck_figures_measured")),
        sa.CheckConstraint(
            "qualifier IN ('exact', 'about', 'nearly', 'more_than', 'less_than', 'at_least', 'at_most', 'as_many_as', 'one_of')",
            name=op.f("ck_figures_qualifier"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_figures_state")),
        sa.CheckConstraint(
            "unit IN ('USD', 'VND', 'EUR', 'CHF', 'percent', 'percentage_point', 'year', 'month', 'ordinal', 'enterprise', 'person', 'industrial_park', 'document', 'agreement', 'initiative', 'country', 'organisation', 'party', 'project', 'tonne_co2e')",
            name=op.f("ck_figures_unit"),
        ),
        sa.CheckConstraint("period_earliest <= period_latest", name=op.f("ck_figures_period")),
        sa.ForeignKeyConstraint(["agreement"], ["agreements.id"], name="fk_figures_agreement_agreements", **AT_COMMIT),
        sa.ForeignKeyConstraint(["change"], ["changes.sequence"], name="fk_figures_change_changes", **AT_COMMIT),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_figures_document_documents", **AT_COMMIT),
        sa.ForeignKeyConstraint(["indicator"], ["indicators.id"], name="fk_figures_indicator_indicators", **AT_COMMIT),
        sa.ForeignKeyConstraint(["managed_by"], ["partners.id"], name="fk_figures_managed_by_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["milestone"], ["milestones.id"], name="fk_figures_milestone_milestones", **AT_COMMIT),
        sa.ForeignKeyConstraint(["partner"], ["partners.id"], name="fk_figures_partner_partners", **AT_COMMIT),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name="fk_figures_project_projects", **AT_COMMIT),
        sa.ForeignKeyConstraint(
            ["relayed_for_id"], ["partners.id"], name="fk_figures_relayed_for_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(["said_by_id"], ["partners.id"], name="fk_figures_said_by_id_partners", **AT_COMMIT),
        sa.PrimaryKeyConstraint("id", name="pk_figures"),
        sa.UniqueConstraint("change", name="uq_figures_change"),
    )
    op.create_index("ix_figures_agreement", "figures", ["agreement"])
    op.create_index("ix_figures_document", "figures", ["document"])
    op.create_index("ix_figures_indicator_id", "figures", ["indicator", "id"])
    op.create_index("ix_figures_kind_id", "figures", ["kind", "id"])
    op.create_index("ix_figures_managed_by", "figures", ["managed_by"])
    op.create_index("ix_figures_measured", "figures", ["measured"])
    op.create_index("ix_figures_milestone", "figures", ["milestone"])
    op.create_index("ix_figures_partner", "figures", ["partner"])
    op.create_index("ix_figures_period_earliest_id", "figures", ["period_earliest", "id"])
    op.create_index("ix_figures_project", "figures", ["project"])
    op.create_index("ix_figures_qualifier", "figures", ["qualifier"])
    op.create_index("ix_figures_relayed_for_id", "figures", ["relayed_for_id"])
    op.create_index("ix_figures_said_by_id", "figures", ["said_by_id"])
    op.create_index("ix_figures_unit_id", "figures", ["unit", "id"])
    op.create_index("ix_figures_updated_at_id", "figures", ["updated_at", "id"])
    op.create_index("ix_figures_value_id", "figures", ["value", "id"])
    op.create_table(
        "agreements_amends",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amended_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["amended_id"], ["agreements.id"], name="fk_agreements_amends_amended_id_agreements", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_amends_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_amends"),
    )
    op.create_index("ix_agreements_amends_amended_id_record_id", "agreements_amends", ["amended_id", "record_id"])
    op.create_table(
        "agreements_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_agreements_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_citations_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_citations"),
    )
    op.create_index(
        "ix_agreements_citations_document_id_record_id", "agreements_citations", ["document_id", "record_id"]
    )
    op.create_table(
        "agreements_identifiers",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", BYTEWISE, nullable=True),
        sa.Column("value", BYTEWISE, nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_identifiers_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_identifiers"),
    )
    op.create_index(
        "uq_agreements_identifiers_scheme_value", "agreements_identifiers", ["scheme", "value"], unique=True
    )
    op.create_table(
        "agreements_legal_basis",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_agreements_legal_basis_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_legal_basis_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_legal_basis"),
    )
    op.create_index(
        "ix_agreements_legal_basis_document_id_record_id", "agreements_legal_basis", ["document_id", "record_id"]
    )
    op.create_table(
        "agreements_parties",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_agreements_parties_partner_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_parties_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_parties"),
    )
    op.create_index("ix_agreements_parties_partner_id_record_id", "agreements_parties", ["partner_id", "record_id"])
    op.create_table(
        "agreements_projects",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_agreements_projects_project_id_projects", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_projects_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_projects"),
    )
    op.create_index("ix_agreements_projects_project_id_record_id", "agreements_projects", ["project_id", "record_id"])
    op.create_table(
        "agreements_signatories",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_agreements_signatories_partner_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["agreements.id"],
            name="fk_agreements_signatories_record_id_agreements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_agreements_signatories"),
    )
    op.create_index(
        "ix_agreements_signatories_partner_id_record_id", "agreements_signatories", ["partner_id", "record_id"]
    )
    op.create_table(
        "documents_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_documents_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["documents.id"],
            name="fk_documents_citations_record_id_documents",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_documents_citations"),
    )
    op.create_index("ix_documents_citations_document_id_record_id", "documents_citations", ["document_id", "record_id"])
    op.create_table(
        "documents_identifiers",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", BYTEWISE, nullable=True),
        sa.Column("value", BYTEWISE, nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["documents.id"],
            name="fk_documents_identifiers_record_id_documents",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_documents_identifiers"),
    )
    op.create_index("uq_documents_identifiers_scheme_value", "documents_identifiers", ["scheme", "value"], unique=True)
    op.create_table(
        "figures_breakdown",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dimension", BYTEWISE, nullable=False),
        sa.Column("value", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["figures.id"],
            name="fk_figures_breakdown_record_id_figures",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_figures_breakdown"),
    )
    op.create_index("ix_figures_breakdown_dimension_record_id", "figures_breakdown", ["dimension", "record_id"])
    op.create_index("ix_figures_breakdown_value_record_id", "figures_breakdown", ["value", "record_id"])
    op.create_table(
        "figures_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_figures_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["figures.id"],
            name="fk_figures_citations_record_id_figures",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_figures_citations"),
    )
    op.create_index("ix_figures_citations_document_id_record_id", "figures_citations", ["document_id", "record_id"])
    op.create_table(
        "figures_places",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="fk_figures_places_place_id_places", **AT_COMMIT),
        sa.ForeignKeyConstraint(
            ["record_id"], ["figures.id"], name="fk_figures_places_record_id_figures", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_figures_places"),
    )
    op.create_index("ix_figures_places_place_id_record_id", "figures_places", ["place_id", "record_id"])
    op.create_table(
        "figures_relations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("figure_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["figure_id"], ["figures.id"], name="fk_figures_relations_figure_id_figures", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["figures.id"],
            name="fk_figures_relations_record_id_figures",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_figures_relations"),
    )
    op.create_index("ix_figures_relations_figure_id_record_id", "figures_relations", ["figure_id", "record_id"])
    op.create_index("ix_figures_relations_kind_record_id", "figures_relations", ["kind", "record_id"])
    op.create_table(
        "indicators_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_indicators_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["indicators.id"],
            name="fk_indicators_citations_record_id_indicators",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_indicators_citations"),
    )
    op.create_index(
        "ix_indicators_citations_document_id_record_id", "indicators_citations", ["document_id", "record_id"]
    )
    op.create_table(
        "milestones_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_milestones_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["milestones.id"],
            name="fk_milestones_citations_record_id_milestones",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_milestones_citations"),
    )
    op.create_index(
        "ix_milestones_citations_document_id_record_id", "milestones_citations", ["document_id", "record_id"]
    )
    op.create_table(
        "milestones_documents",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_milestones_documents_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["milestones.id"],
            name="fk_milestones_documents_record_id_milestones",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_milestones_documents"),
    )
    op.create_index(
        "ix_milestones_documents_document_id_record_id", "milestones_documents", ["document_id", "record_id"]
    )
    op.create_table(
        "milestones_participants",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_milestones_participants_partner_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["milestones.id"],
            name="fk_milestones_participants_record_id_milestones",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_milestones_participants"),
    )
    op.create_index(
        "ix_milestones_participants_partner_id_record_id", "milestones_participants", ["partner_id", "record_id"]
    )
    op.create_table(
        "partners_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_partners_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["partners.id"],
            name="fk_partners_citations_record_id_partners",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_partners_citations"),
    )
    op.create_index("ix_partners_citations_document_id_record_id", "partners_citations", ["document_id", "record_id"])
    op.create_table(
        "partners_identifiers",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", BYTEWISE, nullable=True),
        sa.Column("value", BYTEWISE, nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["partners.id"],
            name="fk_partners_identifiers_record_id_partners",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_partners_identifiers"),
    )
    op.create_index("uq_partners_identifiers_scheme_value", "partners_identifiers", ["scheme", "value"], unique=True)
    op.create_table(
        "partners_successors",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("successor_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["partners.id"],
            name="fk_partners_successors_record_id_partners",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"], ["partners.id"], name="fk_partners_successors_successor_id_partners", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_partners_successors"),
    )
    op.create_index(
        "ix_partners_successors_successor_id_record_id", "partners_successors", ["successor_id", "record_id"]
    )
    op.create_table(
        "places_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_places_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"], ["places.id"], name="fk_places_citations_record_id_places", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_places_citations"),
    )
    op.create_index("ix_places_citations_document_id_record_id", "places_citations", ["document_id", "record_id"])
    op.create_table(
        "places_identifiers",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", BYTEWISE, nullable=True),
        sa.Column("value", BYTEWISE, nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"], ["places.id"], name="fk_places_identifiers_record_id_places", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_places_identifiers"),
    )
    op.create_index("ix_places_identifiers_scheme_value", "places_identifiers", ["scheme", "value"])
    op.create_table(
        "places_successors",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("successor_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["places.id"], name="fk_places_successors_record_id_places", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"], ["places.id"], name="fk_places_successors_successor_id_places", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_places_successors"),
    )
    op.create_index("ix_places_successors_successor_id_record_id", "places_successors", ["successor_id", "record_id"])
    op.create_table(
        "projects_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_projects_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["projects.id"],
            name="fk_projects_citations_record_id_projects",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_citations"),
    )
    op.create_index("ix_projects_citations_document_id_record_id", "projects_citations", ["document_id", "record_id"])
    op.create_table(
        "projects_follows",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("earlier_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["earlier_id"], ["projects.id"], name="fk_projects_follows_earlier_id_projects", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["projects.id"],
            name="fk_projects_follows_record_id_projects",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_follows"),
    )
    op.create_index("ix_projects_follows_earlier_id_record_id", "projects_follows", ["earlier_id", "record_id"])
    op.create_table(
        "projects_identifiers",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", BYTEWISE, nullable=True),
        sa.Column("value", BYTEWISE, nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["projects.id"],
            name="fk_projects_identifiers_record_id_projects",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_identifiers"),
    )
    op.create_index("uq_projects_identifiers_scheme_value", "projects_identifiers", ["scheme", "value"], unique=True)
    op.create_table(
        "projects_parts",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("whole_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["projects.id"], name="fk_projects_parts_record_id_projects", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(["whole_id"], ["projects.id"], name="fk_projects_parts_whole_id_projects", **AT_COMMIT),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_parts"),
    )
    op.create_index("ix_projects_parts_whole_id_record_id", "projects_parts", ["whole_id", "record_id"])
    op.create_table(
        "projects_places",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="fk_projects_places_place_id_places", **AT_COMMIT),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["projects.id"],
            name="fk_projects_places_record_id_projects",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_places"),
    )
    op.create_index("ix_projects_places_place_id_record_id", "projects_places", ["place_id", "record_id"])
    op.create_table(
        "projects_roles",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.Column("role", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_projects_roles_partner_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"], ["projects.id"], name="fk_projects_roles_record_id_projects", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_roles"),
    )
    op.create_index("ix_projects_roles_partner_id_record_id", "projects_roles", ["partner_id", "record_id"])
    op.create_index("ix_projects_roles_role_record_id", "projects_roles", ["role", "record_id"])
    op.create_table(
        "projects_sdgs",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sdg", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["projects.id"], name="fk_projects_sdgs_record_id_projects", ondelete="CASCADE", **AT_COMMIT
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_sdgs"),
    )
    op.create_index("ix_projects_sdgs_sdg_record_id", "projects_sdgs", ["sdg", "record_id"])
    op.create_table(
        "projects_sectors",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sector", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["projects.id"],
            name="fk_projects_sectors_record_id_projects",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_projects_sectors"),
    )
    op.create_index("ix_projects_sectors_sector_record_id", "projects_sectors", ["sector", "record_id"])
    op.create_table(
        "statements_addressees",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_statements_addressees_partner_id_partners", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["statements.id"],
            name="fk_statements_addressees_record_id_statements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_statements_addressees"),
    )
    op.create_index(
        "ix_statements_addressees_partner_id_record_id", "statements_addressees", ["partner_id", "record_id"]
    )
    op.create_table(
        "statements_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_statements_citations_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["statements.id"],
            name="fk_statements_citations_record_id_statements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_statements_citations"),
    )
    op.create_index(
        "ix_statements_citations_document_id_record_id", "statements_citations", ["document_id", "record_id"]
    )
    op.create_table(
        "statements_documents",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_statements_documents_document_id_documents", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["statements.id"],
            name="fk_statements_documents_record_id_statements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_statements_documents"),
    )
    op.create_index(
        "ix_statements_documents_document_id_record_id", "statements_documents", ["document_id", "record_id"]
    )
    op.create_table(
        "statements_fulfilments",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("milestone_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["milestone_id"], ["milestones.id"], name="fk_statements_fulfilments_milestone_id_milestones", **AT_COMMIT
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["statements.id"],
            name="fk_statements_fulfilments_record_id_statements",
            ondelete="CASCADE",
            **AT_COMMIT,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_statements_fulfilments"),
    )
    op.create_index(
        "ix_statements_fulfilments_milestone_id_record_id", "statements_fulfilments", ["milestone_id", "record_id"]
    )


def downgrade() -> None:
    """Drop everything."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_partners_country_places", "partners", type_="foreignkey")
    for table in reversed(TABLES):
        op.drop_table(table)


TABLES = (
    "changes",
    "partners",
    "places",
    "documents",
    "projects",
    "agreements",
    "milestones",
    "statements",
    "indicators",
    "figures",
    "agreements_amends",
    "agreements_citations",
    "agreements_identifiers",
    "agreements_legal_basis",
    "agreements_parties",
    "agreements_projects",
    "agreements_signatories",
    "documents_citations",
    "documents_identifiers",
    "figures_breakdown",
    "figures_citations",
    "figures_places",
    "figures_relations",
    "indicators_citations",
    "milestones_citations",
    "milestones_documents",
    "milestones_participants",
    "partners_citations",
    "partners_identifiers",
    "partners_successors",
    "places_citations",
    "places_identifiers",
    "places_successors",
    "projects_citations",
    "projects_follows",
    "projects_identifiers",
    "projects_parts",
    "projects_places",
    "projects_roles",
    "projects_sdgs",
    "projects_sectors",
    "statements_addressees",
    "statements_citations",
    "statements_documents",
    "statements_fulfilments",
)

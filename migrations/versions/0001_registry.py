"""Create the registry: resources, their links, the log, the search index, keys, imports, webhooks and mirrors."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import (
    BYTEWISE,
    SEQUENCE,
    Schema,
    code,
    create_search_terms,
    date,
    key_to,
    link,
    links,
    optional,
    optional_columns,
    primary,
    required,
    required_columns,
    words,
)

revision: str = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

# fmt: off
UNITS = (
    "USD", "VND", "EUR", "CHF", "percent", "percentage_point", "year", "month", "ordinal", "enterprise", "person",
    "industrial_park", "document", "agreement", "initiative", "country", "organisation", "party", "project",
    "tonne_co2e",
)

SCHEMA = Schema()

# The log of changes.
SCHEMA.table(
    "changes",
    primary("sequence", SEQUENCE),
    *required_columns("at", "actor"),
    code("action", "create", "update", "delete"),
    *required_columns("resource", "record_id"),
    required("version", sa.Integer()),
    optional("body", sa.Text()),
    *required_columns("digest", "chain"),
    code("shown", "create", "update", "delete", "redact", is_required=False),
    optional("salt"),
    optional("redacted", SEQUENCE),
)
SCHEMA.index("changes", "actor", "sequence")
SCHEMA.index("changes", "resource", "record_id", "sequence")
SCHEMA.table(
    "redactions",
    primary("change", SEQUENCE, key_to("changes.sequence")),
    required("at"),
    *required_columns("reason", "digests", kind=sa.Text()),
)

# The resources, each with its links.
SCHEMA.record_table(
    "partners",
    code(
        "kind", "state", "government", "local_government", "other_public", "international_organisation", "ngo",
        "company", "academic", "media", "collective", "other",
    ),
    *links(parent="partners", country="places", merged_into="partners"),
    required("collective", sa.Boolean()),
    *words("name"),
    *date("period"),
    codes=["kind"],
    sorts=["name_sort"],
    ends=["period_latest"],
    others=["collective"],
)
SCHEMA.identifier_table("partners")
SCHEMA.links_to("partners", "partners", "successors", "successor_id")

SCHEMA.record_table(
    "places",
    code("level", "world", "world_region", "country", "region", "province", "locality"),
    link("parent", "places"),
    optional("code"),
    *date("period"),
    *words("name"),
    codes=["level"],
    sorts=["name_sort"],
)
SCHEMA.index("places", "code", where="period_earliest IS NULL", unique=True)
SCHEMA.index("places", "code", "period_earliest", name="uq_places_code_period", unique=True)
SCHEMA.identifier_table("places", unique=False)
SCHEMA.links_to("places", "places", "successors", "successor_id")

SCHEMA.record_table(
    "documents",
    code(
        "kind", "news", "legal_instrument", "strategy_or_plan", "publication", "international_goals", "report",
        "web_page",
    ),
    code("status", "in_force", "draft", "proposed", "unknown", is_required=False),
    optional("number"),
    link("issuer", "partners"),
    optional("sha256"),
    *date("published_on"),
    *date("happened_on"),
    *words("title"),
    codes=["kind", "status"],
    sorts=["title_sort", "published_on_earliest"],
    alone=["happened_on_earliest"],
    others=["number", "sha256"],
)
SCHEMA.identifier_table("documents")

SCHEMA.record_table(
    "projects",
    code(
        "kind", "framework", "programme", "project", "phase", "batch", "group", "initiative", "plan", "mechanism",
        "requested_support",
    ),
    code(
        "status", "requested", "proposed", "committed", "agreed", "active", "past", "completed", "suspended",
        "cancelled", "unknown",
    ),
    *date("period"),
    *words("title"),
    codes=["kind", "status"],
    sorts=["title_sort", "period_earliest", "period_latest"],
)
SCHEMA.identifier_table("projects")
SCHEMA.links_to("projects", "projects", "follows", "earlier_id")
SCHEMA.links_to("projects", "projects", "parts", "whole_id")
SCHEMA.links_to("places", "projects", "places", "place_id")
SCHEMA.link_table("projects", "roles", required("partner_id", BYTEWISE, key_to("partners.id")), required("role"))
SCHEMA.link_table("projects", "sdgs", required("sdg"))
SCHEMA.link_table("projects", "sectors", required("sector"))

SCHEMA.record_table(
    "agreements",
    code(
        "kind", "memorandum_of_understanding", "framework_agreement", "free_trade_agreement", "treaty",
        "loan_agreement", "grant_agreement", "letter_of_intent", "contract", "project_document", "other",
    ),
    code("status", "intended", "signed", "in_force", "ended", "claimed"),
    *date("signed_on"),
    link("signed_in", "places"),
    *date("period"),
    link("part_of", "agreements"),
    *words("title"),
    codes=["kind", "status"],
    sorts=["title_sort", "signed_on_earliest", "period_earliest"],
    ends=["period_latest"],
)
SCHEMA.identifier_table("agreements")
SCHEMA.links_to("agreements", "agreements", "amends", "amended_id")
SCHEMA.links_to("documents", "agreements", "legal_basis", "document_id")
SCHEMA.links_to("partners", "agreements", "parties", "partner_id")
SCHEMA.links_to("projects", "agreements", "projects", "project_id")
SCHEMA.links_to("partners", "agreements", "signatories", "partner_id")

SCHEMA.record_table(
    "milestones",
    code(
        "kind", "meeting", "visit", "signing", "approval", "launch", "start", "end", "completion", "publication",
        "training", "chairmanship", "target_date", "consultation", "event",
    ),
    code("status", "planned", "done", "cancelled", "unknown"),
    *date("date"),
    *links(place="places", part_of="milestones", project="projects", agreement="agreements"),
    *words("title"),
    codes=["kind", "status"],
    sorts=["date_earliest"],
    alone=["title_sort"],
    ends=["date_latest"],
    owners=["project", "agreement"],
)
SCHEMA.links_to("documents", "milestones", "documents", "document_id")
SCHEMA.links_to("partners", "milestones", "participants", "partner_id")

SCHEMA.record_table(
    "statements",
    code(
        "kind", "request", "commitment", "recommendation", "objective", "plan", "expectation", "claim", "assessment",
    ),
    *links(said_by_id="partners", relayed_for_id="partners"),
    *links(project="projects", agreement="agreements", occasion="milestones"),
    *date("due"),
    *words("summary"),
    codes=["kind"],
    sorts=["due_earliest"],
    alone=["summary_sort"],
    ends=["due_latest"],
    owners=["project", "agreement"],
)
SCHEMA.links_to("partners", "statements", "addressees", "partner_id")
SCHEMA.links_to("documents", "statements", "documents", "document_id")
SCHEMA.links_to("milestones", "statements", "fulfilments", "milestone_id")

SCHEMA.record_table(
    "indicators",
    code("unit", *UNITS),
    code("direction", "up", "down", "none"),
    *words("name"),
    codes=["unit"],
    sorts=["name_sort"],
)

SCHEMA.record_table(
    "figures",
    required("indicator", BYTEWISE, key_to("indicators.id")),
    code("kind", "target", "plan", "actual", "baseline", "context", "rank", "duration"),
    optional("value", sa.Double()),
    code("unit", *UNITS),
    code(
        "qualifier", "exact", "about", "nearly", "more_than", "less_than", "at_least", "at_most", "as_many_as",
        "one_of",
    ),
    code("measured", "over_period", "cumulative", "at_date", is_required=False),
    *date("period"),
    *links(project="projects", agreement="agreements", partner="partners", milestone="milestones", document="documents"),
    *links(said_by_id="partners", relayed_for_id="partners"),
    codes=["kind", "indicator"],
    sorts=["value", "period_earliest"],
    alone=["unit"],
    owners=["project", "agreement"],
    others=["measured", "qualifier"],
)
SCHEMA.link_table("figures", "breakdown", required("dimension"), required("value"))
SCHEMA.links_to("places", "figures", "places", "place_id")
SCHEMA.link_table("figures", "relations", required("kind"), required("figure_id", BYTEWISE, key_to("figures.id")))
# fmt: on

# The search index, except its terms, which create_search_terms adds.
SCHEMA.table(
    "search_records",
    primary("docid", SEQUENCE),
    *required_columns("resource", "record_id"),
    required("names", sa.Text()),
    sa.UniqueConstraint("resource", "record_id"),
)
SCHEMA.table("search_words", primary("word"), required("records", sa.Integer()))
SCHEMA.table("search_pairs", primary("pair"), primary("word"))
SCHEMA.index("search_pairs", "word")
SCHEMA.table("search_state", primary("indexing", sa.Integer()), required("complete", sa.Boolean()))

# Keys, and the requests with an Idempotency-Key that were answered.
SCHEMA.table(
    "keys",
    primary("id"),
    required("name", sa.Text()),
    *required_columns("hash", "scopes"),
    optional("partner"),
    required("created_at"),
    *optional_columns("expires_at", "revoked_at", "last_used_at", "previous_hash", "previous_until"),
)
SCHEMA.index("keys", "partner")
SCHEMA.table(
    "replays",
    primary("key"),
    primary("token"),
    *required_columns("request", "at"),
    required("change", SEQUENCE),
    required("rendering", sa.Integer()),
)
SCHEMA.index("replays", "at")

# Imports: files of many records, and the result of each line.
SCHEMA.table(
    "imports",
    primary("id"),
    *optional_columns("key", "partner", "resource"),
    required("mode"),
    required("dry_run", sa.Boolean()),
    required("status"),
    optional("reason", sa.Text()),
    required("created_at"),
    optional("finished_at"),
    *required_columns("lines", "created", "updated", "unchanged", "refused", kind=sa.Integer()),
    *required_columns("claim", "claimed_until"),
    required("attempts", sa.Integer()),
)
SCHEMA.index("imports", "key", "id")
SCHEMA.index("imports", "status", "claimed_until")
SCHEMA.table(
    "import_lines",
    primary("import_id", BYTEWISE, key_to("imports.id", ondelete="CASCADE")),
    primary("number", sa.Integer()),
    *optional_columns("given", "moved", kind=sa.Text()),
    *optional_columns("verdict", "resource", "record_id", "matched_by"),
    *optional_columns("errors", "diff", kind=sa.Text()),
)
SCHEMA.index("import_lines", "import_id", "verdict", "number")

# Webhooks and their deliveries.
SCHEMA.table(
    "webhooks",
    primary("id"),
    required("key"),
    optional("partner"),
    *required_columns("url", "resources", "actions", "partners", kind=sa.Text()),
    code("state", "active", "disabled"),
    *optional_columns("disabled_because", "disabled_at"),
    required("secret"),
    *optional_columns("previous_secret", "previous_until"),
    *required_columns("created_at", "updated_at"),
    optional("behind", SEQUENCE),
    required("failures", sa.Integer()),
    *optional_columns("failing_since", "rest_until", "last_accepted_at"),
)
for column in ("behind", "key", "partner"):
    SCHEMA.index("webhooks", column)
SCHEMA.table(
    "deliveries",
    primary("id"),
    required("webhook"),
    optional("sequence", SEQUENCE),
    *optional_columns("resource", "record_id"),
    required("payload", sa.Text()),
    code("state", "pending", "accepted", "failed"),
    required("once", sa.Boolean()),
    required("attempts", sa.Integer()),
    *required_columns("created_at", "due_at"),
    *optional_columns("first_attempt_at", "last_attempt_at", "done_at"),
    optional("status", sa.Integer()),
    optional("error", sa.Text()),
    optional("took_ms", sa.Integer()),
)
PENDING = "state = 'pending'"
SCHEMA.index("deliveries", "webhook", "created_at", "id")
SCHEMA.index("deliveries", "done_at")
SCHEMA.index("deliveries", "webhook", "due_at", where=PENDING)
SCHEMA.index("deliveries", "due_at", where=PENDING)
SCHEMA.index("deliveries", "webhook", "resource", "record_id", "sequence", name="ix_deliveries_record", where=PENDING)
SCHEMA.table("webhook_cursor", primary("id", sa.Integer()), required("after", SEQUENCE))

# The source of this database, if it is a mirror.
SCHEMA.table("mirrors", primary("source"), required("since"))


def upgrade() -> None:
    """Create every table; the cursor of webhooks starts before the first Change."""
    SCHEMA.create()
    create_search_terms()
    op.execute("INSERT INTO webhook_cursor (id, after) VALUES (1, 0)")


def downgrade() -> None:
    """Drop every table."""
    op.execute("DROP TABLE search_terms")
    SCHEMA.drop()

"""The registry: nine resources, their links, the log of changes, the search index, keys, imports and webhooks."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import (
    BYTEWISE,
    SEQUENCE,
    Schema,
    code,
    date,
    key_to,
    link,
    optional,
    primary,
    required,
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
# fmt: on

SCHEMA = Schema()

# The log of changes.
SCHEMA.table(
    "changes",
    primary("sequence", SEQUENCE),
    required("at"),
    required("actor"),
    code("action", "create", "update", "delete"),
    required("resource"),
    required("record_id"),
    required("version", sa.Integer()),
    optional("body", sa.Text()),
    required("digest"),
    required("chain"),
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
    required("reason", sa.Text()),
    required("digests", sa.Text()),
)

# fmt: off
# The resources.
SCHEMA.record_table(
    "partners",
    code(
        "kind", "state", "government", "local_government", "other_public", "international_organisation", "ngo",
        "company", "academic", "media", "collective", "other",
    ),
    link("parent", "partners"),
    link("country", "places"),
    link("merged_into", "partners"),
    required("collective", sa.Boolean()),
    *words("name"),
    *date("period"),
    codes=["kind"],
    sorts=["name_sort"],
    ends=["period_latest"],
    links=["collective", "country", "merged_into", "parent"],
)
SCHEMA.citation_table("partners")
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
    links=["parent"],
)
SCHEMA.index("places", "code", where="period_earliest IS NULL", unique=True)
SCHEMA.index("places", "code", "period_earliest", name="uq_places_code_period", unique=True)
SCHEMA.citation_table("places")
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
    links=["issuer", "number", "sha256"],
)
SCHEMA.citation_table("documents")
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
SCHEMA.citation_table("projects")
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
    links=["part_of", "signed_in"],
)
SCHEMA.citation_table("agreements")
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
    link("place", "places"),
    link("part_of", "milestones"),
    link("project", "projects"),
    link("agreement", "agreements"),
    *words("title"),
    codes=["kind", "status"],
    sorts=["date_earliest"],
    alone=["title_sort"],
    ends=["date_latest"],
    owners=["project", "agreement"],
    links=["part_of", "place"],
)
SCHEMA.citation_table("milestones")
SCHEMA.links_to("documents", "milestones", "documents", "document_id")
SCHEMA.links_to("partners", "milestones", "participants", "partner_id")

SCHEMA.record_table(
    "statements",
    code(
        "kind", "request", "commitment", "recommendation", "objective", "plan", "expectation", "claim", "assessment",
    ),
    link("said_by_id", "partners"),
    link("relayed_for_id", "partners"),
    link("project", "projects"),
    link("agreement", "agreements"),
    link("occasion", "milestones"),
    *date("due"),
    *words("summary"),
    codes=["kind"],
    sorts=["due_earliest"],
    alone=["summary_sort"],
    ends=["due_latest"],
    owners=["project", "agreement"],
    links=["occasion", "relayed_for_id", "said_by_id"],
)
SCHEMA.citation_table("statements")
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
SCHEMA.citation_table("indicators")

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
    link("project", "projects"),
    link("agreement", "agreements"),
    link("partner", "partners"),
    link("milestone", "milestones"),
    link("document", "documents"),
    link("said_by_id", "partners"),
    link("relayed_for_id", "partners"),
    codes=["kind", "indicator"],
    sorts=["value", "period_earliest"],
    alone=["unit"],
    owners=["project", "agreement"],
    links=["document", "measured", "milestone", "partner", "qualifier", "relayed_for_id", "said_by_id"],
)
SCHEMA.citation_table("figures")
SCHEMA.link_table("figures", "breakdown", required("dimension"), required("value"))
SCHEMA.links_to("places", "figures", "places", "place_id")
SCHEMA.link_table("figures", "relations", required("kind"), required("figure_id", BYTEWISE, key_to("figures.id")))
# fmt: on

# The search index. Its terms are a table of another kind on each engine, see below.
SCHEMA.table(
    "search_records",
    primary("docid", SEQUENCE),
    required("resource"),
    required("record_id"),
    required("names", sa.Text()),
    sa.UniqueConstraint("resource", "record_id"),
)
SCHEMA.table("search_words", primary("word"), required("records", sa.Integer()))
SCHEMA.table("search_pairs", primary("pair"), primary("word"))
SCHEMA.index("search_pairs", "word")
SCHEMA.table("search_state", primary("indexing", sa.Integer()), required("complete", sa.Boolean()))

# Keys of those who write, and the answers to requests with an Idempotency-Key.
SCHEMA.table(
    "keys",
    primary("id"),
    required("name", sa.Text()),
    required("hash"),
    required("scopes"),
    optional("partner"),
    required("created_at"),
    optional("expires_at"),
    optional("revoked_at"),
    optional("last_used_at"),
    optional("previous_hash"),
    optional("previous_until"),
)
SCHEMA.index("keys", "partner")
SCHEMA.table(
    "replays",
    primary("key"),
    primary("token"),
    required("request"),
    required("at"),
    required("change", SEQUENCE),
    required("rendering", sa.Integer()),
)
SCHEMA.index("replays", "at")

# Imports: files of many records, and the result of each line.
SCHEMA.table(
    "imports",
    primary("id"),
    optional("key"),
    optional("partner"),
    optional("resource"),
    required("mode"),
    required("dry_run", sa.Boolean()),
    required("status"),
    optional("reason", sa.Text()),
    required("created_at"),
    optional("finished_at"),
    *(required(count, sa.Integer()) for count in ("lines", "created", "updated", "unchanged", "refused")),
    required("claim"),
    required("claimed_until"),
    required("attempts", sa.Integer()),
)
SCHEMA.index("imports", "key", "id")
SCHEMA.index("imports", "status", "claimed_until")
SCHEMA.table(
    "import_lines",
    primary("import_id", BYTEWISE, key_to("imports.id", ondelete="CASCADE")),
    primary("number", sa.Integer()),
    optional("given", sa.Text()),
    optional("moved", sa.Text()),
    optional("verdict"),
    optional("resource"),
    optional("record_id"),
    optional("matched_by"),
    optional("errors", sa.Text()),
    optional("diff", sa.Text()),
)
SCHEMA.index("import_lines", "import_id", "verdict", "number")

# Webhooks, and what is to be delivered to them.
SCHEMA.table(
    "webhooks",
    primary("id"),
    required("key"),
    optional("partner"),
    *(required(name, sa.Text()) for name in ("url", "resources", "actions", "partners")),
    code("state", "active", "disabled"),
    optional("disabled_because"),
    optional("disabled_at"),
    required("secret"),
    optional("previous_secret"),
    optional("previous_until"),
    required("created_at"),
    required("updated_at"),
    optional("behind", SEQUENCE),
    required("failures", sa.Integer()),
    optional("failing_since"),
    optional("rest_until"),
    optional("last_accepted_at"),
)
SCHEMA.index("webhooks", "behind")
SCHEMA.index("webhooks", "key")
SCHEMA.index("webhooks", "partner")
SCHEMA.table(
    "deliveries",
    primary("id"),
    required("webhook"),
    optional("sequence", SEQUENCE),
    optional("resource"),
    optional("record_id"),
    required("payload", sa.Text()),
    code("state", "pending", "accepted", "failed"),
    required("once", sa.Boolean()),
    required("attempts", sa.Integer()),
    required("created_at"),
    required("due_at"),
    optional("first_attempt_at"),
    optional("last_attempt_at"),
    optional("done_at"),
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

# The registry of which this database is a mirror, if it is one.
SCHEMA.table("mirrors", primary("source"), required("since"))


def upgrade() -> None:
    """Create everything; the cursor of webhooks stands at the start."""
    SCHEMA.create()
    op.execute("INSERT INTO webhook_cursor (id, after) VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE search_terms (rowid bigint PRIMARY KEY, terms tsvector NOT NULL)")
        # Each search reads the whole list of pending entries, so it is short; a bulk load writes faster with one.
        op.execute(
            "CREATE INDEX ix_search_terms_terms ON search_terms USING gin (terms) WITH (gin_pending_list_limit = 1024)"
        )
    else:
        op.execute(
            "CREATE VIRTUAL TABLE search_terms"
            " USING fts5(terms, content='', detail=none, columnsize=0, tokenize='ascii')"
        )
        # Small pages: a search for a rare word and a frequent one skips most records of the frequent one.
        op.execute("INSERT INTO search_terms (search_terms, rank) VALUES ('pgsz', 512)")


def downgrade() -> None:
    """Drop everything."""
    op.execute("DROP TABLE search_terms")
    SCHEMA.drop()

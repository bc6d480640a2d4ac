"""`/milestones/{id}`, `/statements/{id}`, `/indicators/{id}` and `/transactions/{id}`: pages of the smaller records."""

from app.explorer.page_reads import joined, read_evidence, read_list, read_record
from app.explorer.passages import passages_of
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View


async def milestone_page(view: View, reads: PublicReads, milestone: str) -> Content:
    """Return the page of a milestone."""
    include = "partners,whole,projects,agreements,places,about_documents,documents"
    record = await read_record(reads, view, "milestones", milestone, include)
    own = {"milestone": milestone, "limit": 30}
    statements = await read_list(reads, view, "statements", {**own, "include": "partners,documents"})
    figures = await read_list(reads, view, "figures", {**own, "include": "indicators,projects,places,documents"})
    included = joined(record, statements, figures)
    evidence = await read_evidence(reads, view, "milestones", milestone)
    passages = passages_of(evidence, "title", "date")
    values = {
        "record": record,
        "passages": passages,
        "basis": evidence,
        "included": included,
        "statements": statements,
        "figures": figures,
    }
    return Content("milestone.html", values, "timeline")


async def statement_page(view: View, reads: PublicReads, statement: str) -> Content:
    """Return the page of a statement."""
    include = "partners,projects,agreements,milestones,about_documents,documents"
    record = await read_record(reads, view, "statements", statement, include)
    evidence = await read_evidence(reads, view, "statements", statement)
    values = {
        "record": record,
        "included": record["included"],
        "passages": passages_of(evidence, "summary"),
        "basis": evidence,
    }
    return Content("statement.html", values, "statements")


async def indicator_page(view: View, reads: PublicReads, indicator: str) -> Content:
    """Return the page of an indicator, with its figures."""
    record = await read_record(reads, view, "indicators", indicator, "documents")
    parameters = {"indicator": indicator, "include": "projects,places,documents"}
    figures = await read_list(reads, view, "figures", parameters)
    values = {"record": record, "included": joined(record, figures), "figures": figures}
    return Content("indicator.html", values, "figures")


async def transaction_page(view: View, reads: PublicReads, transaction: str) -> Content:
    """Return the page of a transaction."""
    record = await read_record(reads, view, "transactions", transaction, "partners,projects,agreements,documents")
    evidence = await read_evidence(reads, view, "transactions", transaction)
    values = {
        "record": record,
        "included": record["included"],
        "passages": passages_of(evidence, "value"),
        "basis": evidence,
    }
    return Content("transaction.html", values, "projects")

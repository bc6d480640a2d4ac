"""All rules. Importing a module registers the rules in it."""

from app.analysis.audit.rule import RULES
from app.analysis.audit.rules import dates, facts, links, names, overdue, sources, sums, texts
from app.core.values.codelists import CodeList

__all__ = ["ALL", "RULE", "dates", "facts", "links", "names", "overdue", "sources", "sums", "texts"]

ALL = sorted(RULES, key=lambda rule: (rule.name, rule.resource.name))

RULE = CodeList(
    "audit_rule", "The rules of the audit. `/v1/audit/rules` describes each.", {rule.name: rule.label for rule in ALL}
)

"""All rules: importing a file registers its rules."""

from app.audit.rule import RULES
from app.audit.rules import dates, evidence, links, overdue, sums
from app.core.codelists import CodeList

__all__ = ["ALL", "RULE", "dates", "evidence", "links", "overdue", "sums"]

ALL = sorted(RULES, key=lambda rule: (rule.name, rule.resource.name))
RULE = CodeList(
    "audit_rule", "What the audit looks for; /v1/audit/rules explains each.", {rule.name: rule.label for rule in ALL}
)

"""`who_with_whom`: the projects and agreements of a partner, and with whom."""

from collections.abc import Mapping
from typing import Any

from app.agents.items import citation_of, documents_of, evidence, present
from app.agents.pages import Answer, Page, Section
from app.agents.registry import Registry

RECORDS = 10  # of one read
MAX_SIDES = 12  # in one item
LISTS = {"projects": "roles", "agreements": "parties"}

Arguments = Mapping[str, Any]
Record = Mapping[str, Any]


async def who_with_whom(registry: Registry, arguments: Arguments) -> Answer:
    """Return the projects and agreements of a partner, or those that it shares with another one."""
    partner = await registry.named("partner", "partners", str(arguments["partner"]))
    head = {"partner": {"record": f"partners/{partner['id']}", "label": registry.label_of(partner)}}
    other = None
    if "with" in arguments:
        named = await registry.named("with", "partners", str(arguments["with"]))
        other = named["id"]
        head["with"] = {"record": f"partners/{other}", "label": registry.label_of(named)}
    sections = [_section(registry, resource, partner["id"], other) for resource in LISTS]
    shared = await _has_any(registry, partner["id"])
    reason = {} if shared else {"reason": "No public project or agreement names this partner."}
    if other and shared:
        reason = {"limits": "If items is empty and next is null, they share no public project or agreement."}
    return Answer({**head, "url": registry.url("partners", partner["id"]), **reason}, sections)


def _section(registry: Registry, resource: str, partner: str, other: str | None) -> Section:
    sides = LISTS[resource]

    async def read(cursor: str) -> Page:
        records, following = await registry.list(resource, cursor, RECORDS, partner=partner, include="partners")
        if other:
            records = [record for record in records if any(side["partner"] == other for side in record[sides])]
        await registry.look_up("documents", documents_of(records))
        return Page([_item(registry, record, sides) for record in records], following)

    return read


async def _has_any(registry: Registry, partner: str) -> bool:
    for resource in LISTS:
        if (await registry.get(f"/v1/{resource}", partner=partner, limit=1))["items"]:
            return True
    return False


def _item(registry: Registry, record: Record, sides: str) -> dict[str, Any]:
    labels = record["labels"]
    partners = [
        {**registry.reference("partners", side["partner"]), **_role(labels, f"/{sides}/{place}")}
        for place, side in enumerate(record[sides][:MAX_SIDES])
    ]
    citation = citation_of(record, sides)
    return present(
        {
            **registry.reference(record["resource"], record["id"]),
            "kind": labels.get("/kind", record["kind"]),
            "status": labels.get("/status", record["status"]),
            "period": labels.get("/period"),
            "signed_on": labels.get("/signed_on"),
            "partners": partners,
            "more_partners": max(0, len(record[sides]) - MAX_SIDES) or None,
            **(evidence(registry, citation) if citation else {}),
            "url": registry.url(record["resource"], record["id"]),
        }
    )


def _role(labels: Mapping[str, str], at: str) -> dict[str, str]:
    role = labels.get(f"{at}/role") or labels.get(f"{at}/side")
    return {"role": role} if role else {}

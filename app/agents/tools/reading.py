"""`find` and `read_record`."""

from collections.abc import Mapping
from typing import Any

from app.agents.items import fields_of, links_of
from app.agents.pages import Answer, Page, Section, cursor_in, section_of
from app.agents.quoting import quoted
from app.agents.refusals import Refusal
from app.agents.registry import RESOURCES, Registry

HITS = 10  # of one read
LINKED = 8  # records of a list below a record

# The lists below a record of a resource that are worth reading with it.
LINKING = {
    "projects": ("agreements", "milestones", "statements", "figures", "transactions"),
    "partners": ("projects", "agreements", "statements", "figures", "transactions"),
    "agreements": ("milestones", "statements", "figures", "transactions"),
    "milestones": ("statements", "figures"),
    "statements": (),
    "figures": (),
    "indicators": ("figures",),
    "transactions": (),
    "documents": ("projects", "agreements", "milestones", "statements", "figures", "transactions"),
    "places": ("projects", "agreements", "figures"),
}

Arguments = Mapping[str, Any]


async def find(registry: Registry, arguments: Arguments) -> Answer:
    """Search names, texts and cited words."""
    words = str(arguments["query"])
    resource = str(arguments.get("resource", ""))
    first = await registry.search(words, resource, limit=HITS)

    async def hits(cursor: str) -> Page:
        page = await registry.search(words, resource, cursor, HITS) if cursor else first
        return Page([registry.hit(hit) for hit in page["items"]], cursor_in(page["next"]))

    head: dict[str, Any] = {}
    if first["corrected"]:
        head["corrected"] = quoted(first["corrected"], 100)
    if not first["items"]:
        missing = quoted(", ".join(first["not_found"]) or words, 100)
        head["reason"] = f"No public record{f' of {resource}' if resource else ''} contains {missing}."
    return Answer(head, [hits])


async def read_record(registry: Registry, arguments: Arguments) -> Answer:
    """Return the members of a record, each with its evidence, and what links to it."""
    resource, _, name = str(arguments["record"]).partition("/")
    if resource not in RESOURCES:
        raise Refusal(
            "not_found", "`record` must be resource/id.", "Get one with the tool find.", await registry.any_record()
        )
    record = await registry.named("record", resource, name)
    registry.learn([record])
    for linked, ids in links_of(record).items():
        await registry.look_up(linked, ids)
    head = {
        **registry.reference(resource, record["id"]),
        "version": record["version"],
        "updated_at": record["updated_at"],
        "url": registry.url(resource, record["id"]),
    }
    fields = section_of(list(fields_of(registry, record)))
    return Answer(head, [fields, *(_links(registry, resource, record["id"], name) for name in LINKING[resource])])


def _links(registry: Registry, resource: str, record_id: str, name: str) -> Section:
    """Return a section with one item: the first records of a list below a record."""

    async def read(_: str) -> Page:
        path = f"/v1/{resource}/{record_id}/{name}"
        page = await registry.read(path, limit=LINKED)
        registry.learn(page["items"])
        if not page["items"]:
            return Page([])
        records = [registry.reference(name, record["id"]) for record in page["items"]]
        return Page([{"field": f"{name} of this record", "value": records, **({"all": path} if page["next"] else {})}])

    return read

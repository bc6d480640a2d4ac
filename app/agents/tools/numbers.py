"""`compare` and `explain_number`: what was promised and delivered, and where a number comes from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.agents.items import documents_of, evidence, figure_item, present
from app.agents.pages import Answer, section_of
from app.agents.quoting import quoted
from app.agents.registry import Registry

SIDES = {"targets": "promised", "plans": "planned", "baselines": "before", "actuals": "delivered", "claims": "claimed"}
MAX_COMPUTATIONS = 8
RELATED = "indicators,projects,agreements,partners,related,relating,documents"

Arguments = Mapping[str, Any]
Record = Mapping[str, Any]


async def compare(registry: Registry, arguments: Arguments) -> Answer:
    """Return the targets of a project beside its results, as the registry compares them."""
    progress = await registry.named("project", "projects", str(arguments["project"]), "/progress")
    placed = list(_figures(progress))
    figures = [figure for _, figure, _ in placed]
    await registry.look_up("documents", documents_of(figures))
    await registry.look_up("partners", _speakers(figures))
    title = next(iter(progress["title"].values()))
    head: dict[str, Any] = {
        "project": {"record": f"projects/{progress['project']}", "label": quoted(title, 120)},
        "status": progress["labels"].get("/status", progress["status"]),
        "url": registry.url("projects", progress["project"]),
    }
    items: list[dict[str, Any]] = []
    for number, indicator in enumerate(progress["indicators"]):
        items.append(_comparison(indicator))
        prefix = f"/indicators/{number}/"
        items += [
            {"side": side, **figure_item(registry, figure, progress["labels"], at)}
            for side, figure, at in placed
            if at.startswith(prefix)
        ]
    if not items:
        head["reason"] = "The registry has no target or result of this project. Its parts may have some."
    parts = [{"record": f"projects/{part['project']}"} for part in progress["parts"] if isinstance(part, Mapping)]
    return Answer({**head, **({"parts": parts[:8]} if parts else {})}, [section_of(items)])


async def explain_number(registry: Registry, arguments: Arguments) -> Answer:
    """Return the words that state a figure, the arithmetic that it takes part in, and what contradicts it."""
    figure = await registry.named("figure", "figures", str(arguments["figure"]), include=RELATED)
    support = await registry.get(f"/v1/figures/{figure['id']}/evidence")
    included = figure["included"]
    for records in included.values():
        registry.learn(records.values())
    others = {**included["related"], **included["relating"]}
    await registry.look_up("documents", documents_of([figure, *others.values()]))
    await registry.look_up("partners", _speakers([figure, *others.values()]))
    item = figure_item(registry, figure, figure["labels"])
    item["indicator"] = registry.reference("indicators", figure["indicator"])
    item["measured"] = figure["labels"].get("/measured", figure["measured"])
    if figure["project"]:
        item["project"] = registry.reference("projects", figure["project"])
    return Answer(
        {"figure": item, "arithmetic": [_computation(entry) for entry in support["arithmetic"][:MAX_COMPUTATIONS]]},
        [
            section_of([_finding(registry, finding) for finding in support["findings"]]),
            section_of([_quotation(registry, quotation) for quotation in support["quotations"]]),
            section_of(list(_relations(registry, figure, others))),
        ],
    )


def _comparison(indicator: Record) -> dict[str, Any]:
    """Return the result of a comparison, as the registry computed it."""
    progress = indicator["progress"] or {}
    names = ("computed", "percentage", "percentage_high", "gap", "reached", "date", "why_not")
    return present(
        {
            "indicator": f"indicators/{indicator['indicator']}",
            "label": quoted(next(iter(indicator["name"].values())), 120),
            **{name: progress.get(name) for name in names},
        }
    )


def _figures(progress: Record) -> Iterator[tuple[str, Record, str]]:
    """Yield each figure with its side, and its place in the answer of the registry."""
    for number, indicator in enumerate(progress["indicators"]):
        for name, side in SIDES.items():
            pending = [(side, entry, f"/indicators/{number}/{name}/{i}") for i, entry in enumerate(indicator[name])]
            while pending:
                kind, entry, at = pending.pop(0)
                yield kind, entry["figure"], f"{at}/figure"
                parts = enumerate(entry["parts"])
                pending += [(f"part of {side}", part, f"{at}/parts/{i}") for i, part in parts]


def _speakers(figures: Sequence[Record]) -> set[str | None]:
    partners: set[str | None] = set()
    for figure in figures:
        partners.update(figure["done_by"])
        voices = (figure["said_by"], figure["relayed_for"])
        partners.update(voice["partner"] for voice in voices if voice)
    return partners


def _quotation(registry: Registry, quotation: Record) -> dict[str, Any]:
    """Return cited words with those around them, and whether the stored text of the document has them."""
    verified = quotation["verified"]
    around = " … ".join(text for text in (quotation["prefix"], quotation["suffix"]) if text)
    return present(
        {
            "supports": quotation["supports"] or ["record"],
            **evidence(registry, quotation),
            "around": quoted(around, 120) if around else None,
            "verified": verified["holds"] if verified else None,
        }
    )


def _computation(entry: Record) -> dict[str, Any]:
    """Return a computation in which the figure takes part. `agrees`: whether the stated figure equals the result."""
    return present({name: entry[name] for name in ("kind", "how", "result", "agrees")})


def _finding(registry: Registry, finding: Record) -> dict[str, Any]:
    message = finding["message"]
    text = message.get(registry.language) or next(iter(message.values()))
    return {"finding": finding["rule"], "severity": finding["severity"], "message": quoted(text)}


def _relations(registry: Registry, figure: Record, others: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
    """Yield the figures that this one relates to, and those that relate to it."""
    own = {relation["figure"]: relation["kind"] for relation in figure["relations"]}
    for other in others.values():
        to_it = own.get(other["id"])
        from_it = _relation(other, figure["id"])
        relation = f"this is {to_it} it" if to_it else f"it is {from_it} this"
        if to_it or from_it:
            yield {"relation": relation.replace("_", " "), **figure_item(registry, other, other.get("labels", {}))}


def _relation(other: Record, figure: str) -> str:
    return next((relation["kind"] for relation in other["relations"] if relation["figure"] == figure), "")

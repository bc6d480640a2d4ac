"""Checks of what a curator decides: who is named, what is inferred, how texts are translated and projects classified.

To add a rule, write the function and add it to CURATION_RULES.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from app.core.model.support import supported_field
from app.core.values.dates import ends
from app.core.values.evidence import Citation, Voice
from seed.evidence_rules import CheckRule, at
from seed.files import Dataset

# Names that a reader of the title alone cannot resolve.
NAMELESS = re.compile(
    r"\bthe ministry\b(?! of [A-Z])|"
    r"\b(the|both|two) (two )?(ministries|sides?|parties|countries|organisations)\b(?! of [A-Z])|"
    r"\bhai (bộ|bên|nước|tổ chức)\b|\b[Bb]ộ (mong|cam kết|khuyến khích|đã|cùng)\b",
    re.IGNORECASE,
)
# Terms that an English text must have if the Vietnamese one has them.
TERMS: dict[str, str] = {
    r"thứ trưởng": r"deputy minister",
    r"phó thủ tướng": r"deputy prime minister",
    r"lần thứ (4|tư)": r"fourth",
    r"lần thứ 5": r"fifth",
    r"đầu tiên": r"first",
    r"năng lượng tái tạo": r"renewable",
    r"bền vững": r"sustainab",
    r"tuần hoàn": r"circular",
    r"sinh thái": r"eco-|ecological",
    r"nhỏ và vừa": r"small (and|or) medium",
}
UPPERCASE = re.compile(r"\b(?![IVX]+\b)[A-Z]{2,}[0-9]*\b")
YEARS = re.compile(r"\b(?:19|20)[0-9]{2}\b")
# Short forms that one of the two languages writes in full.
SPELT_OUT = {"AI", "PPA", "FTA", "FDI"}

# The goals of the United Nations that a sector of the OECD DAC serves here, so that like projects have like goals.
GOALS = {
    **dict.fromkeys(("32110", "32120", "32130"), "9"),
    **dict.fromkeys(("11330", "11430"), "4"),
    **dict.fromkeys(("15110", "15121", "15144", "33110", "33130", "33140", "43010"), "17"),
    **dict.fromkeys(("23110", "23183", "23240"), "7"),
    "15130": "16",
    "41010": "12",
}
MORE_GOALS = {"8", "13"}  # employment and climate, where the text speaks of them
PARTNERSHIPS = ("framework", "mechanism")
MULTILATERAL = "33140"
UNNAMED_ROLES = ("lead", "accountable", "extending")


def names(dataset: Dataset) -> Iterator[str]:
    """Check that a title, or the summary of a statement, names those whom it is about."""
    for key, fields in dataset.records.items():
        title = getattr(fields, "title", None) or getattr(fields, "summary", None) or {}
        for language, text in title.items():
            if NAMELESS.search(text):
                yield f"{at(key)}: its title ({language}) does not name those whom it is about"


def voices(dataset: Dataset) -> Iterator[str]:
    """Check that the name of a speaker, participant or signatory is in the cited words, or inferred."""
    for key, fields in dataset.records.items():
        inferred = fields.inferred_parts()
        for pointer, voice in _voices(fields):
            field = supported_field(pointer)
            words = " ".join(_words(fields.citations, field))
            is_inferred = any(f"{pointer}/name".startswith(part) for part in inferred)
            if voice.name and voice.name.rpartition(" ")[2] not in words and not is_inferred:
                yield f"{at(key)}: the words cited for {pointer} do not name {voice.name}"


def _voices(fields: Any) -> Iterator[tuple[str, Voice]]:
    for name in type(fields).model_fields:
        value = getattr(fields, name)
        items = [(f"/{name}/{number}", item) for number, item in enumerate(value)] if isinstance(value, list) else []
        for pointer, item in items or [(f"/{name}", value)]:
            if isinstance(item, Voice):
                yield pointer, item


def _words(citations: list[Citation], field: str) -> Iterator[str]:
    """Yield the words of the citations that state a field or a part of it."""
    for citation in citations:
        if citation.as_written and citation.basis == "stated" and field in map(supported_field, citation.supports):
            yield citation.as_written


def roles(dataset: Dataset) -> Iterator[str]:
    """Check that a role is inferred if it says more than that a partner takes part."""
    for key, project in dataset.of("projects").items():
        inferred = project.inferred_parts()
        for number, role in enumerate(project.roles):
            parts = {"/roles", f"/roles/{number}", f"/roles/{number}/role"}
            if role.role in UNNAMED_ROLES and not parts & set(inferred):
                yield f"projects/{key}: no words give {role.partner} the role {role.role}; cite it as inferred"


def abbreviations(dataset: Dataset) -> Iterator[str]:
    """Check that the words cited for a partner contain its abbreviation, unless it is inferred or external."""
    for key, partner in dataset.of("partners").items():
        cited = [citation for citation in partner.citations if "abbreviation" in citation.supports]
        stated = [citation for citation in cited if citation.basis == "stated"]
        if partner.abbreviation and not cited:
            yield f"partners/{key}: no citation supports its abbreviation"
        elif stated and not any(partner.abbreviation in (citation.as_written or "") for citation in stated):
            yield f"partners/{key}: no cited words contain its abbreviation"


def collectives(dataset: Dataset) -> Iterator[str]:
    """Check that a collective has the kind of its members, unless they are of several kinds."""
    collective = {key for key, partner in dataset.of("partners").items() if partner.kind == "collective"}
    for key in sorted(collective - {"eco-industrial-park-stakeholders"}):
        yield f"partners/{key}: a collective has the kind of its members"


def translations(dataset: Dataset) -> Iterator[str]:
    """Check that every text is in both languages, with the same terms, short forms and years."""
    for key, fields in dataset.records.items():
        for pointer, texts in _texts(fields, ""):
            if set(texts) != {"vi", "en"}:
                yield f"{at(key)}: {pointer} is not in both vi and en"
            else:
                lost = ", ".join(_lost(texts["vi"], texts["en"]))
                if lost:
                    yield f"{at(key)}: {pointer} has only in one language: {lost}"


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the language maps of a record with their pointers, except the name of a place."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name), f"{pointer}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{number}")
    elif isinstance(value, dict) and value and not pointer.endswith("/breakdown"):
        yield pointer, value


def _lost(vi: str, en: str) -> Iterator[str]:
    for own, other in TERMS.items():
        if re.search(own, vi, re.IGNORECASE) and not re.search(other, en, re.IGNORECASE):
            yield f"«{own}» ({other})"
    yield from sorted((set(YEARS.findall(vi)) ^ set(YEARS.findall(en))) - SPELT_OUT)
    yield from sorted(set(UPPERCASE.findall(vi)) - set(UPPERCASE.findall(en)) - SPELT_OUT)


def breakdowns(dataset: Dataset) -> Iterator[str]:
    """Check that the values of a breakdown by area are ids of places: a name would be in one language."""
    places = dataset.of("places")
    for key, figure in dataset.of("figures").items():
        for dimension, value in figure.breakdown.items():
            if dimension in ("province", "region", "country") and value not in places:
                yield f"figures/{key}: the {dimension} {value} is not the id of a place"


def goals(dataset: Dataset) -> Iterator[str]:
    """Check that projects of one sector have the same goals, and that multilateral trade is cited as such."""
    for key, project in dataset.of("projects").items():
        if not project.sectors:
            continue
        expected = {GOALS[sector] for sector in project.sectors if sector in GOALS}
        expected |= {"17"} if project.kind in PARTNERSHIPS else set()
        unexpected = expected ^ (set(project.sdgs) - (MORE_GOALS - expected))
        for goal in sorted(unexpected):
            yield f"projects/{key}: goal {goal} does not follow from its sectors, or is missing"
        words = " ".join(str(citation.as_written) for citation in project.citations)
        if MULTILATERAL in project.sectors and "đa phương" not in words:
            yield f"projects/{key}: no cited words speak of multilateral trade"


def hopes(dataset: Dataset) -> Iterator[str]:
    """Check that what is only proposed is no group of projects, and that every project has a partner."""
    for key, project in dataset.of("projects").items():
        if project.status == "proposed" and project.kind in ("group", "project", "phase", "batch"):
            yield f"projects/{key}: it is only proposed, so it is no {project.kind}"
        if not project.roles:
            yield f"projects/{key}: it has no partner"


def results(dataset: Dataset) -> Iterator[str]:
    """Check that a result has a period with an end, and that the figures of a project name those who do the work."""
    for key, figure in dataset.of("figures").items():
        timed = figure.kind == "actual" or figure.measured in ("over_period", "cumulative")
        if timed and (figure.period is None or ends(figure.period.edtf)[1] is None):
            yield f"figures/{key}: a result or total needs a period with an end"
        if figure.project and figure.kind in ("actual", "target", "plan") and not (figure.partner or figure.done_by):
            yield f"figures/{key}: it is linked to no partner whose work it counts"
        if figure.kind == "rank" and figure.unit != "ordinal":
            yield f"figures/{key}: a rank is a position, and its unit is ordinal"
        if not any("unit" in citation.supports for citation in figure.citations):
            yield f"figures/{key}: no citation supports its unit"


CURATION_RULES: tuple[CheckRule, ...] = (
    names,
    voices,
    roles,
    abbreviations,
    collectives,
    translations,
    breakdowns,
    goals,
    hopes,
    results,
)

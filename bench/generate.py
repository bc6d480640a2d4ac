"""Generator of the records of a registry of any size. The same size and seed always give the same records."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.core.values.text import fold
from bench.words import ACTIONS, BODIES, EVENTS, FORMS, PROVINCES, TOPICS, Zipf, brands, names

CHUNK = 2_000  # projects with their children in one transaction

STATUSES = ["active", "completed", "agreed", "past", "proposed", "requested", "committed", "suspended", "cancelled"]
STATUS_WEIGHTS = [34, 26, 10, 9, 8, 5, 4, 2, 2]
KINDS = ["project", "programme", "phase", "initiative", "framework", "plan", "requested_support", "batch"]
KIND_WEIGHTS = [60, 12, 9, 7, 4, 4, 2, 2]
ROLES = ["funding", "implementing", "accountable", "extending", "lead", "counterpart", "beneficiary", "host"]
SECTORS = ["11330", "15110", "23110", "23183", "23210", "32110", "32120", "32130", "33110", "41010", "43010", "43082"]
AGREEMENT_KINDS = ["memorandum_of_understanding", "loan_agreement", "grant_agreement", "contract", "project_document"]
INDICATORS = [
    ("enterprises-supported", "enterprise", "Doanh nghiệp được hỗ trợ", "Enterprises supported"),
    ("experts-trained", "person", "Chuyên gia được đào tạo", "Experts trained"),
    ("people-reached", "person", "Người hưởng lợi", "People reached"),
    ("parks-converted", "industrial_park", "Khu công nghiệp chuyển đổi", "Industrial parks converted"),
    ("budget", "USD", "Kinh phí", "Budget"),
    ("energy-saved", "percent", "Tỷ lệ năng lượng tiết kiệm", "Share of energy saved"),
    ("emissions-cut", "tonne_co2e", "Phát thải giảm được", "Emissions cut"),
    ("documents-issued", "document", "Văn bản được ban hành", "Documents issued"),
]


class Record(NamedTuple):
    """One record, as an API client would send it."""

    resource: str
    id: str
    fields: dict[str, Any]


class Generator:
    """Generator of records for a number of projects; `children` scales their agreements, milestones and figures."""

    def __init__(self, projects: int, seed: int = 1, children: float = 1.0) -> None:
        self.size = projects
        self._children = children
        self._rng = random.Random(seed)
        self._names = Zipf(names(self._rng, 2_000 + projects // 10))
        self._brands = Zipf(brands(self._rng, 500 + projects // 10))
        self.brands_in_titles: Counter[str] = Counter()
        self.projects: list[str] = []
        self._partners: list[str] = []
        self._documents: list[str] = []
        self._provinces = [slug(name) for name in PROVINCES]

    def chunks(self) -> Iterator[list[Record]]:
        """Yield the records that projects link to, then projects with their children; no link is to a later chunk."""
        yield [*self._places(), *self._make_partners(), *self._make_documents(), *self._indicators()]
        for start in range(0, self.size, CHUNK):
            numbers = range(start, min(start + CHUNK, self.size))
            yield list(itertools.chain.from_iterable(map(self._project_with_children, numbers)))

    def _places(self) -> Iterator[Record]:
        yield Record("places", "viet-nam", {"name": {"vi": "Việt Nam", "en": "Viet Nam"}, "level": "country"})
        for name, place in zip(PROVINCES, self._provinces, strict=True):
            texts = {"vi": name, "en": _plain(name)}
            yield Record("places", place, {"name": texts, "level": "province", "parent": "viet-nam"})

    def _make_partners(self) -> Iterator[Record]:
        rng = self._rng
        for number in range(max(20, self.size // 20)):
            kind, vi, en = rng.choice(BODIES)
            words = self._words()
            name = {"vi": vi.format(**words["vi"]), "en": en.format(**words["en"])}
            partner = f"{slug(name['en'])[:60].strip('-')}-{number}"
            fields: dict[str, Any] = {"name": name, "kind": kind}
            fields["country"] = None if kind == "international_organisation" else "viet-nam"
            if rng.random() < 0.5:
                fields["abbreviation"] = "".join(word[0] for word in _plain(name["vi"]).split()).upper() + str(number)
            if rng.random() < 0.3:
                fields["aliases"] = [f"{name['vi']} {words['vi']['place']}", _plain(name["vi"])]
            if self._partners and rng.random() < 0.3:
                fields["parent"] = rng.choice(self._partners)
            self._partners.append(partner)
            yield Record("partners", partner, fields)

    def _make_documents(self) -> Iterator[Record]:
        rng = self._rng
        for number in range(300):
            words = self._words()
            title = {"vi": f"Bản tin {words['vi']['topic']}", "en": f"News on {words['en']['topic']}"}
            fields = {"kind": "news", "title": title, "published_on": self._day(), "language": "vi"}
            fields |= {"issuer": rng.choice(self._partners), "url": f"https://news.example/{number}"}
            self._documents.append(f"news-{number}")
            yield Record("documents", f"news-{number}", fields)

    def _indicators(self) -> Iterator[Record]:
        for indicator, unit, vi, en in INDICATORS:
            yield Record("indicators", indicator, {"name": {"vi": vi, "en": en}, "unit": unit, "direction": "up"})

    def _project_with_children(self, number: int) -> Iterator[Record]:
        rng = self._rng
        project = self._project(number)
        yield project
        year = int(project.fields["period"][:4])
        for index in range(self._some(1.0)):
            yield self._agreement(f"{project.id}-agreement-{index}", project, year)
        for index in range(self._some(2.5)):
            yield self._milestone(f"{project.id}-milestone-{index}", project, year)
        indicator, unit, *_ = rng.choice(INDICATORS)
        for index in range(self._some(2.5)):
            yield self._figure(f"{project.id}-figure-{index}", project, year, index, (indicator, unit))

    def _project(self, number: int) -> Record:
        rng = self._rng
        words = self._words()
        form = rng.choice(FORMS)
        action = rng.choice(ACTIONS)
        brand = self._rare_word()
        title = {
            language: f"{form[index]} {action[index]} {term['topic']} – {term['name']}{brand} ({term['place']})"
            for index, (language, term) in enumerate(words.items())
        }
        start = rng.randrange(1995, 2026)
        fields: dict[str, Any] = {
            "title": title,
            "description": {"en": f"{title['en']}, with {words['en']['name']} in {words['en']['place']}."},
            "kind": rng.choices(KINDS, KIND_WEIGHTS)[0],
            "status": rng.choices(STATUSES, STATUS_WEIGHTS)[0],
            "period": f"{start}-{rng.randrange(1, 13):02}/{start + rng.randrange(1, 7)}",
            "roles": [
                {"partner": partner, "role": rng.choice(ROLES[1:]) if position else "funding"}
                for position, partner in enumerate(self._several(self._partners, 4))
            ],
            "places": self._several(self._provinces, 3),
            "sectors": self._several(SECTORS, 2),
            "sdgs": self._several([str(goal) for goal in range(1, 18)], 3),
            "citations": self._cited(title["vi"][:60]),
        }
        if self.projects and rng.random() < 0.1:
            fields["part_of"] = [rng.choice(self.projects)]
        project = f"{slug(words['en']['topic'])}-{number}"
        self.projects.append(project)
        return Record("projects", project, fields)

    def _agreement(self, agreement: str, project: Record, year: int) -> Record:
        rng = self._rng
        title = project.fields["title"]
        parties = dict.fromkeys(role["partner"] for role in project.fields["roles"][:2])
        return Record("agreements", agreement, {
            "title": {"vi": f"Biên bản ghi nhớ: {title['vi']}", "en": f"Memorandum: {title['en']}"},
            "kind": rng.choice(AGREEMENT_KINDS),
            "status": rng.choice(["signed", "in_force", "intended", "ended"]),
            "signed_on": self._day(year),
            "parties": [{"partner": partner} for partner in parties],
            "projects": [project.id],
            "citations": self._cited("ký kết biên bản ghi nhớ"),
        })  # fmt: skip

    def _milestone(self, milestone: str, project: Record, year: int) -> Record:
        rng = self._rng
        words = self._words()
        kind, vi, en = rng.choice(EVENTS)
        return Record("milestones", milestone, {
            "title": {"vi": vi.format(**words["vi"]), "en": en.format(**words["en"])},
            "kind": kind,
            "status": rng.choice(["done", "done", "planned", "unknown"]),
            "date": self._day(year),
            "place": rng.choice(project.fields["places"]),
            "project": project.id,
            "participants": [{"partner": project.fields["roles"][0]["partner"], "capacity": "host"}],
            "citations": self._cited(f"diễn ra năm {year}"),
        })  # fmt: skip

    def _figure(self, figure: str, project: Record, year: int, index: int, measures: tuple[str, str]) -> Record:
        rng = self._rng
        value = rng.randrange(1, 10 ** rng.randrange(1, 7))
        return Record("figures", figure, {
            "indicator": measures[0],
            "kind": "target" if index == 0 else "actual",
            "value": value,
            "unit": measures[1],
            "qualifier": rng.choice(["exact", "exact", "about", "more_than"]),
            "measured": "cumulative",
            "period": f"{year}/{year + 1 + index}",
            "places": project.fields["places"][:1],
            "breakdown": {"batch": str(index)} if index else {},
            "project": project.id,
            "said_by": {"partner": project.fields["roles"][0]["partner"]} if rng.random() < 0.3 else None,
            "as_written": str(value),
            "citations": self._cited(f"{value} (năm {year})"),
        })  # fmt: skip

    def _words(self) -> dict[str, dict[str, str]]:
        """Return a topic, a place, a name and a brand by language."""
        rng = self._rng
        topic = rng.choice(TOPICS)
        place = rng.choice(PROVINCES)
        name = self._names.pick(rng)
        brand = self._brands.pick(rng)
        vietnamese = {"topic": topic[0], "place": place, "name": name, "brand": brand}
        return {"vi": vietnamese, "en": {"topic": topic[1], "place": _plain(place), "name": name, "brand": brand}}

    def _rare_word(self) -> str:
        """Return a brand for every second title; most brands are rare."""
        if self._rng.random() < 0.5:
            return ""
        brand = self._brands.pick(self._rng)
        self.brands_in_titles[brand] += 1
        return f" {brand}"

    def _several(self, choices: list[str], limit: int) -> list[str]:
        """Return one to `limit` different choices; the first choices are far more frequent than the last."""
        count = self._rng.randrange(1, limit + 1)
        picked = (choices[int(len(choices) * self._rng.random() ** 2)] for _ in range(count))
        return list(dict.fromkeys(picked))

    def _some(self, average: float) -> int:
        """Return a random number from 0 to twice the average."""
        return int(self._rng.random() * (2 * average * self._children + 1))

    def _day(self, year: int | None = None) -> str:
        rng = self._rng
        return f"{year or rng.randrange(2000, 2026)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"

    def _cited(self, words: str) -> list[dict[str, Any]]:
        document = self._rng.choice(self._documents)
        return [{"document": document, "paragraph": self._rng.randrange(1, 40), "as_written": words}]


def slug(text: str) -> str:
    """Return the words of a text as an id."""
    return re.sub("[^a-z0-9]+", "-", fold(text)).strip("-")


def _plain(text: str) -> str:
    """Return a Vietnamese name without diacritics, as English texts write it."""
    return " ".join(word.capitalize() for word in fold(text).split())

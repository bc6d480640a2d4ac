"""The pages that show the registry: every record, in both languages, from public reads that anyone can repeat."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from app.cli import main
from app.core.database.engine import Database
from app.core.settings import OWN_PATHS
from app.explorer.drawing.progress_bar import bars_of
from app.explorer.drawing.province_tiles import positions, tiles_of, unit_of, walls_of
from app.explorer.drawing.time_axis import TimeAxis
from app.explorer.languages import LANGUAGES, words
from app.explorer.reads import MAX_READS
from app.explorer.routes import PAGE_PATHS, PAGES
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, drop, get, put, walk
from tests.support.keys import Key

RESOURCES = (
    *("projects", "agreements", "partners", "documents", "figures", "places", "milestones", "statements"),
    "indicators",
)
LISTS = (
    "/",
    "/audit",
    "/changes",
    "/projects",
    "/agreements",
    "/partners",
    "/documents",
    "/figures",
    "/statements",
    "/transactions",
    "/timeline",
    "/places",
)
SEARCHES = ("/search", "/search?q=nha may thong minh", "/projects?q=nha may", "/projects?status=active&partner=moit")
PROJECT = "/projects/smart-factory-cooperation"
VOID = {"meta", "base", "link", "input", "br", "rect", "line", "circle", "stop", "path"}
CITATION = {"document": "samsung-smart-factory-2023", "paragraph": 12, "as_written": "26 doanh nghiệp"}


class Markup(HTMLParser):
    """The elements of a page: attributes, links, ids, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def page(client: TestClient, path: str, status: int = 200) -> str:
    response = client.get(path, headers={"Accept": "text/html,*/*"})
    assert response.status_code == status, f"{path}: {response.text[:300]}"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return response.text


def in_language(path: str, language: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}lang={language}"


def curls(text: str) -> list[str]:
    """The URLs of the commands at the foot of a page, as a shell reads them."""
    commands = [shlex.split(unescape(code)) for code in re.findall(r"<li><code>(curl .*?)</code>", text)]
    assert all(command[:2] == ["curl", "-s"] and len(command) == 3 for command in commands)
    return [command[2] for command in commands]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_record_has_a_page_that_anyone_can_repeat(client: TestClient, engine: str, language: str) -> None:
    step = 10 if engine == "postgresql" else 1 if language == "en" else 4  # engine and language change little here
    ids = {name: [item["id"] for item in walk(client, f"/v1/{name}?fields=id&limit=200")] for name in RESOURCES}
    used = {item["id"] for item in walk(client, "/v1/places?project_none=false&fields=id&limit=200")}
    ids["places"] = [*used, *ids["places"][:5]]  # most places are reference data that nothing links to
    paths = [*LISTS, *SEARCHES]
    for name in RESOURCES:
        paths += [f"/{name}/{record_id}" for record_id in ids[name][:: 4 * step if name == "statements" else step]]
    texts = {path: page(client, in_language(path, language)) for path in paths}
    requested: Counter[str] = Counter()
    for path, text in texts.items():
        assert f'<html lang="{language}">' in text
        markup = Markup(text)
        assert not [name for _, attributes in markup.elements for name in attributes if name.startswith("on")]
        assert not markup.values("style")
        assert "<style" not in text
        assert "{&#39;" not in text  # a language map of which no text was chosen
        duplicates = [name for name, count in Counter(markup.values("id")).items() if count > 1]
        assert not duplicates, f"{path}: {duplicates}"
        urls = curls(text)
        assert urls or path == "/search"
        assert len(urls) <= MAX_READS
        assert all(url.startswith("http://hoptac.test/v1/") for url in urls)
        requested.update(map(path_of, urls))
        for link in [attributes.get("href") or "" for _, attributes in markup.elements if "hreflang" not in attributes]:
            own = urlsplit(link)
            first = own.path.strip("/").split("/")
            if len(first) == 2 and first[0] in ids and not (first[0] == "places" and first[1] not in ids["places"]):
                assert first[1] in ids[first[0]], f"{path}: {link}"
                assert language == "en" or f"lang={language}" in own.query, f"{path}: {link}"
    for read in list(requested)[:: max(1, len(requested) // 60)]:  # those of one kind differ in their id alone
        assert client.get(read).status_code == 200, read


def test_a_project_shows_how_far_it_got_and_where_each_number_comes_from(client: TestClient) -> None:
    text = page(client, PROJECT)
    for figure in walk(client, f"/v1{PROJECT}/figures"):
        number = figure["value"]
        assert re.search(rf'<a class="ev" href="/figures/{figure["id"]}" data-ev>{number}<', text), figure["id"]
        evidence = page(client, f"/figures/{figure['id']}")
        for citation in figure["citations"]:
            assert citation["as_written"] in unescape(evidence)
    assert "26 + 24 = 50" in text
    assert "14 + 12 = 26" in text
    assert words("en")["no_plan"] in text  # for the rest of the experts
    assert re.search(rf"<dt>{words('en')['role_funding']}</dt><dd><span class=\"unk\">not stated", text)
    assert text.count('class="track"') > 1
    assert text.count("url(#hatch)") > 1
    assert "samsung-smart-factory-programme" in text
    assert len(text.encode()) < 30_000
    in_vietnamese = page(client, in_language(PROJECT, "vi"))
    assert "Đang thực hiện" in in_vietnamese
    assert words("vi")["inferred_text"] in in_vietnamese
    assert words("en")["inferred_text"] not in page(client, "/projects?q=nothing-of-this-name")
    assert "Smart factory development cooperation project" in in_vietnamese


SOURCES = Path(__file__).parents[2] / "shared" / "documents"


class Passages(HTMLParser):
    """The paragraphs of a page, each with the words that have the stronger mark."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.passages: list[tuple[str, list[str]]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = (dict(attrs).get("class") or "").split()
        if "passage" in names:
            self.passages.append(("", []))
            self._open = ["passage"]
        elif self._open:
            self._open.append(names[0] if names else tag)
            if "tok" in names:
                self.passages[-1][1].append("")

    def handle_endtag(self, _: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "pno":
            text, marked = self.passages[-1]
            self.passages[-1] = (text + data, marked)
            if self._open[-1] == "tok":
                marked[-1] += data


def other_numbers(evidence: str) -> Iterator[tuple[str, str]]:
    """The links to other figures in the paragraphs of a page, with their words."""
    for quote in re.findall(r"<blockquote .*?</blockquote>", evidence):
        for other, label in re.findall(r'<a class="ev" href="/figures/([^"]+)" data-ev>([^<]+)<', quote):
            yield other, unescape(label)


@pytest.mark.skipif(not SOURCES.is_dir(), reason="the texts of the dataset are not here")
def test_each_number_opens_the_paragraph_that_has_its_words(
    registry: TestClient, seeded_database: Database, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPTAC_DATABASE_URL", url_of(seeded_database))
    assert main(["texts", "load", str(SOURCES), "--shown", "full"]) == 0
    figures = {item["id"]: item for item in walk(registry, "/v1/figures?limit=200")}
    paths = [*LISTS]
    for name in (
        [name for name in RESOURCES if name not in ("figures", "places")] if engine == "sqlite" else ["documents"]
    ):
        paths += [f"/{name}/{item['id']}" for item in walk(registry, f"/v1/{name}?fields=id&limit=200")]
    paths += [f"/places/{place}" for place in sorted({place for item in figures.values() for place in item["places"]})]
    linked: set[str] = set()
    for path in paths:
        linked |= set(re.findall(r'href="/figures/([^"?]+)" data-ev', page(registry, path)))
    assert len(linked) > 30
    paragraphs: dict[tuple[str, int], str] = {}
    for document in {citation["document"] for figure in figures.values() for citation in figure["citations"]}:
        items = walk(registry, f"/v1/documents/{document}/paragraphs")
        paragraphs |= {(document, item["paragraph"]): item["text"] for item in items}
    others = 0
    for figure in sorted(linked):
        evidence = page(registry, f"/figures/{figure}")
        passages = Passages(evidence).passages
        assert passages, figure
        for other, label in other_numbers(evidence):
            others += 1
            assert other != figure
            assert label in [citation["as_written"] for citation in figures[other]["citations"]]
        for citation in figures[figure]["citations"]:
            paragraph = paragraphs[citation["document"], citation["paragraph"]]
            assert citation["as_written"] in paragraph
            marked = [words for text, words in passages if text == paragraph]
            assert marked, figure
            if "value" in citation["supports"]:
                assert any(citation["as_written"] in words for words in marked[0]), figure
    assert others > 30
    assert {text for text, _ in Passages(page(registry, "/documents/unido-moit-2021")).passages} == {
        text for (document, _), text in paragraphs.items() if document == "unido-moit-2021"
    }


def test_documents_mark_each_cited_paragraph(registry: TestClient, editor: Key) -> None:
    client = registry
    assert "/text" not in page(client, "/documents/samsung-smart-factory-2023")  # the registry has none, so no read
    paid = {
        "project": "smart-factory-cooperation",
        "kind": "disbursement",
        "value": 7,
        "currency": "USD",
        "date": "2023",
    }
    put(client, editor, "transactions/paid", {**paid, "citations": [CITATION]})
    text = page(client, "/documents/samsung-smart-factory-2023")
    ids = set(Markup(text).values("id"))
    marks = re.findall(r'href="/documents/samsung-smart-factory-2023#(p\d+)"', page(client, PROJECT))
    assert marks
    assert set(marks) <= ids
    assert 'href="/transactions/paid"' in text


def test_figures_of_a_list_are_told_apart_and_names_stand_once(client: TestClient) -> None:
    place = '<a href="/places/ha-noi">Ha Noi</a>'
    assert place in page(client, "/figures?indicator=enterprises-supported")
    partner = page(client, "/partners/moit")
    names = partner[partner.index('id="names"') : partner.index('id="roles"')]
    assert names.count(">Bộ Công Thương</span>") == 1
    assert names.count('class="pil"') > 2
    assert place in partner
    assert f"/v1/figures.csv?project={PROJECT.rpartition('/')[2]}&amp;project=" in page(client, PROJECT)
    figure = "smart-factory-enterprises-2022"
    assert f"/v1/figures.csv?id={figure}" in page(client, f"/figures/{figure}")


def test_a_list_says_what_narrows_it_in_words_and_counts_few_hits(client: TestClient) -> None:
    narrowed = page(client, "/figures?kind=actual&project=smart-factory-cooperation")
    assert '<span class="tag">Kind: Actual</span>' in narrowed
    assert '<span class="tag">Project: Smart factory development cooperation project</span>' in narrowed
    assert "Partner: Ministry of Industry and Trade" in page(client, "/projects?partner=moit")
    assert "Place: Bac Ninh" in page(client, "/timeline?place=bac-ninh")
    few = page(client, "/projects?q=nha+may+thong+minh")
    count = len(get(client, "/v1/projects?q=nha+may+thong+minh&limit=200")["items"])
    assert f">{words('en')['count'].format(count=count)}</h2>" in few
    assert "total=true" not in few


def test_findings_name_records_and_hits_show_a_name_once(client: TestClient) -> None:
    findings = page(client, "/audit")
    names = {item["id"]: item["title"]["en"] for item in get(client, "/v1/projects?fields=title&limit=200")["items"]}
    mentioned = [
        record["id"]
        for finding in get(client, "/v1/audit?limit=25")["items"]
        for record in finding["records"]
        if record["resource"] == "projects"
    ]
    assert mentioned
    for project in mentioned:
        assert f'<a href="/projects/{project}">Project: {names[project]}</a>' in unescape(findings)
    quoted = [cited for item in get(client, "/v1/audit?limit=25")["items"] for cited in item["evidence"][:6]]
    titles = {item["id"]: item["title"]["en"] for item in get(client, "/v1/documents?fields=title&limit=200")["items"]}
    assert quoted
    for document in {cited["document"] for cited in quoted if cited["as_written"]}:
        assert titles[document] in unescape(findings)
    assert "(mpi)" not in findings
    assert not re.search(r"\d{4}/\d{4}|\d{4}-\d\d-\d\d", "".join(re.findall(r'<span class="q">(.*?)</span>', findings)))
    hits = page(client, in_language("/search?q=nha may thong minh", "vi"))
    assert "<mark>thông</mark> <mark>minh</mark></a>" in hits
    hits = re.sub("</?mark>", "", hits)
    assert hits.count(">Dự án hợp tác phát triển nhà máy thông minh</a>") == 1
    assert "thuộc Dự án “Hợp tác phát triển nhà máy thông minh” đợt 1/2023" in hits


def test_money_is_added_within_one_kind_and_currency(registry: TestClient, editor: Key) -> None:
    amounts = [("disbursement", 1000.5, "USD"), ("disbursement", 2000, "USD"), ("disbursement", 5, "EUR")]
    amounts += [("outgoing_commitment", 10_000, "USD"), ("budget", 20_000, "USD")]
    for number, (kind, value, currency) in enumerate(amounts):
        fields = {"kind": kind, "value": value, "currency": currency, "date": f"2023-0{number + 1}"}
        fields |= {"project": "smart-factory-cooperation", "receiver": "moit", "citations": [CITATION]}
        put(registry, editor, f"transactions/paid-{number}", fields)
    text = page(registry, PROJECT)
    section = text[text.index('id="money"') : text.index('id="parts"')]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section)
    sums = [" ".join(unescape(re.sub("<[^>]*>", " ", row)).split()) for row in rows]
    assert sums == [
        "Budget planned 20,000 USD 1",
        "Outgoing commitment promised 10,000 USD 1",
        "Disbursement paid 5 EUR 1",
        "Disbursement paid 3,000.5 USD 2",
    ]
    assert 'href="/transactions/paid-0" data-ev>1,000.5<' in section
    assert "not stated</span> → <a" in section  # nobody states who provides it
    links = [link for link in Markup(text).values("href") if link.startswith("/transactions?")]
    assert len(links) == len(rows)
    narrowed = page(registry, links[-1])
    Markup(narrowed)
    assert re.findall(r'href="/transactions/(paid-\d)" data-ev', narrowed) == ["paid-1", "paid-0"]
    assert words("en")["count"].format(count=2) in narrowed
    assert 'class="num">4<' in page(registry, "/transactions")  # in US dollars
    for path in (PROJECT, links[-1], "/partners/moit", "/transactions/paid-0"):
        shown = page(registry, path)
        assert "1,000.5" in shown, path
        for url in curls(shown):
            assert registry.get(path_of(url)).status_code == 200, url
    assert words("en")["no_money"] in page(registry, "/projects/viet-nam-switzerland-cooperation")


def test_a_page_is_cached_and_depends_on_its_host(registry: TestClient, editor: Key) -> None:
    first = registry.get(PROJECT)
    assert first.status_code == 200
    tag = first.headers["etag"]
    assert registry.get(PROJECT).content == first.content
    unchanged = registry.get(PROJECT, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = registry.head(PROJECT)
    assert (head.status_code, head.headers["etag"], head.content) == (200, tag, b"")
    other = registry.get(PROJECT, headers={"Host": "it's.test"})
    assert path_of(curls(other.text)[0]) == path_of(curls(first.text)[0])
    assert curls(other.text)[0].startswith("http://it's.test/")
    assert registry.get(PROJECT).content == first.content
    count = get(registry, "/v1/figures?limit=1&total=true")["total"]
    assert words("en")["count"].format(count=count) in page(registry, "/figures")
    put(registry, editor, "figures/more-trained", _figure("more-trained", project="smart-factory-cooperation"))
    assert words("en")["count"].format(count=count + 1) in page(registry, "/figures")
    assert "more-trained" in registry.get(PROJECT, headers={"If-None-Match": tag}).text


def _figure(figure: str, **members: Any) -> dict[str, Any]:
    return {
        "indicator": "experts-trained",
        "kind": "context",
        "value": 7,
        "unit": "person",
        "citations": [CITATION],
    } | members


def test_parts_of_a_figure_in_words_and_in_numbers(registry: TestClient, editor: Key) -> None:
    """The page sorts the parts by their numbers. Any partner can state a part in words."""
    whole = {"kind": "actual", "project": "smart-factory-cooperation", "measured": "cumulative", "period": "2023"}
    part = {**whole, "relations": [{"kind": "part_of", "figure": "whole"}]}
    put(registry, editor, "figures/whole", _figure("whole", **whole))
    put(registry, editor, "figures/counted", _figure("counted", **part, value=3))
    put(registry, editor, "figures/in-words", _figure("in-words", **part, value=None, text={"en": "Some others"}))
    html = page(registry, "/projects/smart-factory-cooperation")
    assert html.count('<table class="dist">') >= 1


def test_missing_deleted_and_merged_records(registry: TestClient, editor: Key) -> None:
    missing = page(registry, "/projects/nothing-of-this-name", 404)
    assert words("en")["problem_404"] in missing
    assert not curls(missing)  # the read that failed is not one to repeat
    assert words("vi")["problem_404"] in page(registry, "/partners/UPPER?lang=vi", 404)
    put(registry, editor, "figures/mistaken", _figure("mistaken"))
    drop(registry, editor, "figures/mistaken")
    gone = page(registry, "/figures/mistaken", 410)
    assert words("en")["problem_410"] in gone
    assert re.search(r"It was deleted on \d+ \w+ 20\d\d", gone)
    for name in ("first", "second"):
        put(registry, editor, f"partners/{name}", {"name": {"en": name}, "kind": "company", "citations": [CITATION]})
    merged = registry.post("/v1/partners/first/merge", json={"into": "second"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    read = registry.get("/v1/partners/first?include=documents", follow_redirects=False)
    assert read.status_code == 308  # and no document, which the merged partner still cites
    moved = registry.get("/partners/first?lang=vi", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/partners/second?lang=vi")
    assert page(registry, "/projects?status=nonsense", 422)
    for path in ("/nothing", "/projects/a/b", "/explorer/nothing", "/v1/nothing"):
        assert registry.get(path).headers["content-type"] == "application/problem+json"
    assert registry.post("/projects").status_code == 405


@pytest.mark.parametrize("address", [f"projects?q={'a' * 60_000}", "figures?kind=x" + "&a=" * 31])
def test_a_long_address_makes_no_long_page(client: TestClient, address: str) -> None:
    """A page repeats its parameters in its links, up to a hundred times."""
    html = page(client, f"/{address}", 400)
    assert "at most 2000 bytes and 30 parameters" in html
    assert len(html) < 20_000
    assert "tối đa" in page(client, f"/projects?lang=vi&q={'a' * 2_000}", 400)
    page(client, f"/projects?q={'a' * 200}&cursor=", 200)


HOSTILE = "\uffff<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202emirror"


def test_hostile_titles_empty_records_and_drafts(registry: TestClient, editor: Key) -> None:
    own = {"title": {"en": HOSTILE}, "description": {"vi": HOSTILE}, "kind": "project", "status": "unknown"}
    put(
        registry,
        editor,
        "projects/hostile",
        {**own, "citations": [{**CITATION, "note": HOSTILE, "as_written": HOSTILE}]},
    )
    empty = {"title": {"vi": "Trống"}, "kind": "project", "status": "unknown", "managed_by": "unido"}
    put(registry, editor, "projects/empty", empty)
    put(registry, editor, "projects/secret", {**empty, "title": {"en": "Nobody knows"}, "state": "draft"})
    put(
        registry,
        editor,
        "figures/hostile",
        _figure(
            "hostile",
            value=None,
            text={"en": HOSTILE},
            as_written=HOSTILE,
            breakdown={"sex": HOSTILE},
            project="hostile",
        ),
    )
    for path in (
        "/projects/hostile",
        "/figures/hostile",
        "/projects",
        "/figures",
        f"/search?q={HOSTILE}",
        "/projects/empty",
    ):
        text = page(registry, path)
        Markup(text)
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "7 * 7" in page(registry, "/projects/hostile")
    for path in ("/projects/hostile/progress.svg", "/changes.atom"):
        assert "<script>alert(1)" in "".join(ElementTree.fromstring(registry.get(path).content).itertext())
    assert "<script>alert" not in registry.get("/projects/hostile/embed").text
    card = registry.get("/oembed?url=http://hoptac.test/projects/hostile").json()
    assert "<script" not in card["html"]
    bare = page(registry, "/projects/empty")
    for absence in ("no_description", "no_figures", "no_places", "no_events"):
        assert words("en")[absence] in bare
    assert page(registry, "/projects/secret", 404)
    assert "Nobody knows" not in page(registry, "/projects?q=nobody") + page(registry, "/projects")


def test_long_lists_are_paged(registry: TestClient, editor: Key) -> None:
    def milestone(number: int) -> dict[str, Any]:
        day = f"20{10 + number % 20}-01-{1 + number % 28:02}"
        return {
            "resource": "milestones", "id": f"event-{number}", "title": {"en": f"Event {number}"}, "kind": "meeting",
            "status": "done", "date": day, "project": "smart-factory-cooperation", "citations": [CITATION],
        }  # fmt: skip

    for number in range(60):
        record = milestone(number)
        put(
            registry,
            editor,
            f"milestones/{record['id']}",
            {k: v for k, v in record.items() if k not in ("resource", "id")},
        )
    text = page(registry, PROJECT)
    assert text.count('<td class="dt">') == 25
    link = unescape(re.search(r'href="(/timeline\?project=[^"]+)"', text)[1])  # type: ignore[index]
    events: list[str] = []
    while link:
        listed = page(registry, link)
        events += re.findall(r'<td class="dt">.*?href="/milestones/([^"]+)"', listed)
        following = re.search(r'rel="next" href="([^"]+)"', listed)
        link = unescape(following[1]) if following else ""
    assert len(events) == len(set(events)) == len(walk(registry, "/v1/milestones?project=smart-factory-cooperation"))


@pytest.fixture
def below(seeded: str, new_database: NewDatabase) -> Iterator[TestClient]:
    """A client of a registry below a path of a proxy."""
    with client_of(new_database(seeded), root_path="/registry") as client:
        yield client


def test_paths_follow_the_proxy(below: TestClient) -> None:
    text = page(below, "/registry/projects/smart-factory-cooperation?lang=vi")
    links = [link for link in Markup(text).values("href") if link.startswith("/")]
    assert links
    assert all(link.startswith("/registry/") for link in links)
    assert all(url.startswith("http://hoptac.test/registry/v1/") for url in curls(text))
    for url in curls(text):
        assert below.get(path_of(url)).status_code == 200
    assert below.get("/registry/explorer/site.css").status_code == 200


def test_both_languages_have_the_same_words_and_templates_use_them_all(client: TestClient) -> None:
    english = words("en")
    vietnamese = words("vi")
    for name, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", vietnamese[name])), name


def test_pages_and_the_api_do_not_share_paths(client: TestClient) -> None:
    assert not PAGE_PATHS & {*OWN_PATHS}
    assert len(PAGES) > 10


def entry(aimed: float | None, reached: float | None, **members: Any) -> dict[str, Any]:
    """The progress of an indicator, as the API returns it."""

    def node(name: str, value: float | None) -> list[dict[str, Any]]:
        figure = {"id": name, "value": value, "value_high": None, "qualifier": "exact"} | members.get(name, {})
        return [] if value is None else [{"figure": figure}]

    compared = {"target": "target" if aimed is not None else None}
    return {
        "targets": node("target", aimed), "actuals": node("actual", reached),
        "plans": node("plan", members.get("planned")),
        "progress": compared, "sums": members.get("sums", []),
    }  # fmt: skip


def test_bars_add_only_what_the_api_has_added() -> None:
    sums = [{"added": ["actual", "plan"], "target": "target", "equal": True}]
    (bar,) = bars_of(entry(50, 26, planned=24, sums=sums))
    assert [(each.kind, each.start, each.width) for each in bar.segments] == [("actual", 0, 52), ("plan", 52, 48)]
    assert (bar.target_at, bar.has_rest) == (100, False)
    (bar,) = bars_of(entry(50, 26, planned=24))
    assert [each.kind for each in bar.segments] == ["actual"]
    assert bar.has_rest
    (bar,) = bars_of(entry(50, 100))
    assert (bar.segments[0].width, bar.target_at) == (100, 50)
    (bar,) = bars_of(entry(50, 0))
    assert bar.segments[0].width == 0
    (bar,) = bars_of(entry(100, 20, actual={"value_high": 40}))
    assert [(each.kind, each.width) for each in bar.segments] == [("actual", 20), ("range", 20)]
    (bar,) = bars_of(entry(100, 20, actual={"qualifier": "more_than"}))
    assert [each.kind for each in bar.segments] == ["actual", "open"]
    (bar,) = bars_of(entry(100, None))
    assert bar.actual is None
    assert bars_of(entry(None, 5)) == []
    assert bars_of(entry(0, 5)) == []


def test_dates_are_drawn_as_precisely_as_they_are_stated() -> None:
    def edtf(text: str, earliest: str | None, latest: str | None) -> dict[str, Any]:
        return {"edtf": text, "earliest": earliest, "latest": latest}

    dates = {
        "day": edtf("2022-05-28", "2022-05-28", "2022-05-28"),
        "month": edtf("2022-02", "2022-02-01", "2022-02-28"),
        "year": edtf("2023", "2023-01-01", "2023-12-31"),
        "period": edtf("2022/2023", "2022-01-01", "2023-12-31"),
        "before": edtf("../2022-06-30", None, "2022-06-30"),
        "after": edtf("2022-07-01/..", "2022-07-01", None),
    }
    axis = TimeAxis([*dates.values(), edtf("2050", "2050-01-01", "2050-12-31"), None])
    assert (axis.first, axis.last) == (2022, 2023)
    for kind, date in dates.items():
        mark = axis.mark(date)
        assert mark.kind == kind
        assert mark.start >= 0
        assert mark.start + mark.width <= 100.01
    assert axis.mark(dates["year"])[1:] == (50, 50)
    assert axis.mark(edtf("2050", "2050-01-01", "2050-12-31")).kind == "beyond"
    assert axis.mark(None).kind == "none"
    assert TimeAxis([]).mark(dates["day"]).kind == "none"


def test_provinces_have_a_square_each_and_units_are_connected(client: TestClient) -> None:
    assert len(positions()) == len(set(positions().values())) == 63
    provinces = walk(client, "/v1/places?level=province&limit=200")
    tiles = tiles_of(provinces)
    assert len(tiles) == 63
    units: dict[str, set[tuple[int, int]]] = {}
    for tile in tiles:
        units.setdefault(unit_of(tile.place), set()).add((tile.x // 22, tile.y // 22))
    assert len(units) == 34
    for unit, squares in units.items():
        reached = {next(iter(squares))}
        for _ in squares:
            reached |= {(x, y) for x, y in squares if {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & reached}
        assert reached == squares, unit
    assert len(walls_of(tiles, merged=True)) < len(walls_of(tiles, merged=False))


def test_changes_are_listed_and_followed(registry: TestClient, editor: Key) -> None:
    put(
        registry,
        editor,
        "projects/followed",
        {"title": {"en": HOSTILE}, "kind": "project", "status": "unknown", "managed_by": "unido"},
    )
    drop(registry, editor, "projects/followed")
    draft = {"kind": "project", "status": "unknown", "managed_by": "unido", "state": "draft"}
    for count in range(60):  # more Changes of drafts than a page has items
        put(registry, editor, "projects/not-public", {**draft, "title": {"en": str(count)}})
    first = page(registry, "/changes")
    Markup(first)
    actions = [words("en")[f"action_{name}"] for name in ("create", "update", "delete")]
    assert re.findall(r'<span class="tag">([^<]+)</span>', first)[:2] == [actions[2], actions[0]]
    assert "<script>alert" not in first
    listed: list[str] = []
    link: str | None = "/changes"
    while link:
        text = page(registry, link)
        listed += re.findall(r'<td class="dt">', text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        link = unescape(following[1]) if following else None
    assert len(listed) == get(registry, "/v1/changes?limit=1")["last"] - 60
    for number in ("0", "-1", "x", "9" * 15):
        page(registry, f"/changes?before={number}")
    feed = registry.get("/changes.atom?lang=vi")
    assert feed.headers["content-type"] == "application/atom+xml; charset=utf-8"
    tree = ElementTree.fromstring(feed.content)
    entries = tree.findall("{http://www.w3.org/2005/Atom}entry")
    ids = {entry.findtext("{http://www.w3.org/2005/Atom}id") for entry in entries}
    assert len(ids) == len(entries) == 50
    assert registry.get("/changes.atom?lang=vi", headers={"If-None-Match": feed.headers["etag"]}).status_code == 304


def test_the_timeline_is_a_calendar(registry: TestClient, editor: Key) -> None:
    event = {
        "title": {"en": "Long, folded; title " + "ễ" * 60},
        "kind": "meeting",
        "status": "planned",
        "citations": [CITATION],
    }
    for number, when in enumerate(("2027-02", "2027-02-28/2027-03-01", "2027/..", None, "9999", "0001")):
        put(
            registry,
            editor,
            f"milestones/event-{number}",
            {**event, "date": when, "project": "smart-factory-cooperation"},
        )
    calendar = registry.get("/timeline.ics?project=smart-factory-cooperation")
    assert calendar.headers["content-type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in calendar.content.split(b"\r\n"))
    events = calendar.text.replace("\r\n ", "").split("BEGIN:VEVENT\r\n")[1:]
    days = {re.search(r"UID:([\w-]+)@", text)[1]: re.findall(r"VALUE=DATE:(\d+)", text) for text in events}  # type: ignore[index]
    assert days["event-0"] == ["20270201", "20270301"]
    assert days["event-1"] == ["20270228", "20270302"]
    assert days["event-4"] == ["99990101"]
    assert days["event-5"] == ["00010101", "00020101"]
    assert not {"event-2", "event-3"} & days.keys()
    (planned,) = [text for text in events if "UID:event-1@" in text]
    assert "SUMMARY:Long\\, folded\\; title " + "ễ" * 60 in planned
    assert "STATUS:TENTATIVE" in planned


def test_progress_can_be_embedded_with_its_source(client: TestClient) -> None:
    image = client.get(f"{PROJECT}/progress.svg?lang=vi")
    assert image.headers["content-type"] == "image/svg+xml"
    drawing = "".join(ElementTree.fromstring(image.content).itertext())
    for text in ("26 trên 50 doanh nghiệp", "24 dự kiến", "CC-BY-4.0", f"http://hoptac.test{PROJECT}?lang=vi"):
        assert text in drawing
    frame = client.get(f"{PROJECT}/embed")
    assert "frame-ancestors *" in frame.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in client.get(PROJECT).headers["content-security-policy"]
    assert f"http://hoptac.test{PROJECT}" in Markup(frame.text).values("href")
    link = re.search(r'type="application/json\+oembed" href="([^"]+)"', page(client, PROJECT))
    card = get(client, f"{unescape(link[1])}&maxwidth=300")  # type: ignore[index]
    assert (card["version"], card["type"], card["width"]) == ("1.0", "rich", 300)
    assert f'src="http://hoptac.test{PROJECT}/embed"' in card["html"]
    for path in (
        "/oembed",
        "/oembed?url=http://hoptac.test/partners/moit",
        "/oembed?url=http://[::1/projects/x",
        "/projects/nothing/progress.svg",
        "/projects/nothing/embed",
    ):
        assert client.get(path).status_code == 404, path

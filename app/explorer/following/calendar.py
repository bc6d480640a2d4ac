"""`/timeline.ics`: dated events as iCalendar (RFC 5545), each with the days that its date can mean."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import chain
from typing import Any

from app.explorer.page_reads import cursor_of, read_list
from app.explorer.pages.timeline import FILTERS
from app.explorer.reads import PublicReads
from app.explorer.rendering import CALENDAR, Content
from app.explorer.view import View

READS = 5
EVENTS_OF_READ = 200
FIELDS = "title,date,status,updated_at"
LINE = 75  # octets of a line; the rest continues on the next one, after a space
ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
STATUSES = {"planned": "TENTATIVE", "cancelled": "CANCELLED"}

Event = Mapping[str, Any]


async def timeline_calendar(view: View, reads: PublicReads) -> Content:
    """Return the events that the filters of the timeline select, in a calendar: the latest ones, if there are many."""
    query = dict(view.query)
    filters = {name: query[name] for name in FILTERS if query.get(name)}
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{_text(view.site)}//{view.language.upper()}"]
    lines += [f"X-WR-CALNAME:{_text(view.site)}"]
    cursor: str | None = ""
    for _ in range(READS):
        parameters = {**filters, "fields": FIELDS, "sort": "-date", "limit": EVENTS_OF_READ, "cursor": cursor}
        page = await read_list(reads, view, "milestones", parameters)
        lines += chain.from_iterable(_event(view, event) for event in page["items"])
        cursor = cursor_of(page["next"])
        if cursor is None:
            break
    content = "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])
    return Content("", {}, media_type=CALENDAR, text=content)


def _event(view: View, event: Event) -> Iterator[str]:
    """Yield the lines of an event; none if it has no date, or a date that is open at one end."""
    when = event["date"]
    if when is None or when["earliest"] is None or when["latest"] is None:
        return
    latest = date.fromisoformat(when["latest"])
    address = view.address(f"/milestones/{event['id']}")
    host = view.base.partition("://")[2].partition("/")[0]
    yield "BEGIN:VEVENT"
    yield f"UID:{event['id']}@{host}"
    yield f"DTSTAMP:{event['updated_at'][:19].replace('-', '').replace(':', '')}Z"
    yield f"DTSTART;VALUE=DATE:{when['earliest'].replace('-', '')}"
    if latest < date.max:  # the day after it does not exist; an event without an end lasts one day
        yield f"DTEND;VALUE=DATE:{(latest + timedelta(days=1)).isoformat().replace('-', '')}"
    yield f"SUMMARY:{_text(view.plain_title(event))}"
    yield f"DESCRIPTION:{_text(view.label(event, '/date'))}"
    yield f"STATUS:{STATUSES.get(event['status'], 'CONFIRMED')}"
    yield "TRANSP:TRANSPARENT"
    yield f"URL:{address}"
    yield "END:VEVENT"


def _text(text: str) -> str:
    return text.translate(ESCAPES)


def _folded(line: str) -> str:
    """Return a line in pieces of at most LINE octets, without cutting a letter."""
    octets = line.encode()
    pieces: list[str] = []
    start = 0
    while len(octets) - start > LINE - bool(start):
        end = start + LINE - bool(start)
        while octets[end] & 0xC0 == 0x80:  # in the middle of a letter
            end -= 1
        pieces.append(octets[start:end].decode())
        start = end
    return "\r\n ".join([*pieces, octets[start:].decode()])

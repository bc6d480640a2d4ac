"""`GET /v1/timeline`: dated events, starts, ends and due dates, in order."""

from fastapi import APIRouter, Request, Response

from app.analysis.timeline.models import TimelinePage, TimelineQuery
from app.analysis.timeline.reading import PATH, read_entries
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import read_request, write_response

router = APIRouter(tags=["analysis"])


@operation(router, "GET", PATH, "Read a timeline", returns=TimelinePage, problems=OF_LISTS)
async def read_timeline(request: Request, query: TimelineQuery) -> Response:
    """Milestones, signings of agreements, starts and ends of projects and agreements, and due dates, in order.

    - Records without a date and open ends of periods have no entry.
    - A signing, start or end that is also recorded as a milestone has one entry, that of the milestone.
    - Entries of one day are ordered by the other end of their date or period.
    """
    caller = read_request(request)
    return await write_response(request, lambda: read_entries(query, caller))

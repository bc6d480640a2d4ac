"""`GET /v1/figures/aggregate`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.analysis.aggregates.reading import MAX_ADDED, Aggregate, Aggregates
from app.core.http.operations import operation
from app.core.http.resource_reads import OF_LISTS
from app.core.http.responses import read_request, write_response

ABOUT_AGGREGATES = (
    "Count, smallest, largest and sum of the figures that the list shows under the same filters. A sum leaves out what "
    "must not be added and says why (`left_out`): parts of a total that is there, the same fact stated twice, earlier "
    "totals, overlapping periods, areas within areas, also before and after a merger, figures of a project or partner "
    "and of what is part of it. Kinds and units are always apart; ranks, durations and shares have no sum. What a "
    f"figure does not say keeps it apart from nothing. At most {MAX_ADDED} figures are added up in one answer."
)


AGGREGATES = Aggregates()


router = APIRouter(tags=["figures"])


@operation(
    router,
    "GET",
    "/v1/figures/aggregate",
    "Add figures up, where they may be",
    about=ABOUT_AGGREGATES,
    returns=Aggregate,
    query=lambda: AGGREGATES.query,
    problems=OF_LISTS,
)
async def aggregate_figures(request: Request, query: BaseModel) -> Response:
    """Groups of figures, with their sums."""
    return await write_response(request, lambda: AGGREGATES.aggregate(query, read_request(request)), long=True)

"""`GET /v1/figures/aggregate`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.analysis.aggregates.places import MAX_ADDED
from app.analysis.aggregates.reading import Aggregate, Aggregates
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import read_request, write_response

DESCRIPTION = f"""\
Count, minimum, maximum and sum of groups of figures. The filters are those of the list of figures.

Figures of different kinds or units are always in different groups. Ranks, durations and shares have no sum.

A sum leaves out a figure if adding it could count the same thing twice. `left_out` states the reason for each:

- It is a part of a total in the group, or states the same fact as another figure.
- It is an earlier total, or its period overlaps that of another figure.
- Its area is within another one, or was merged into it.
- Its project or partner is part of another one with a figure in the group.

A figure that states no area or no period could be about any area or period. It is therefore not regarded as different
from the others. At most {MAX_ADDED} figures are added up in one response.
"""

AGGREGATES = Aggregates()

router = APIRouter(tags=["analysis"])


@operation(
    router,
    "GET",
    "/v1/figures/aggregate",
    "Aggregate figures",
    about=DESCRIPTION,
    returns=Aggregate,
    query=lambda: AGGREGATES.query,
    problems=OF_LISTS,
)
async def aggregate_figures(request: Request, query: BaseModel) -> Response:
    """Return groups of figures with their sums."""
    return await write_response(
        request, lambda: AGGREGATES.aggregate(query, read_request(request)), long=not AGGREGATES.is_quick(query)
    )

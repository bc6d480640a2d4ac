"""`GET /v1/projects/{project_id}/progress` and `GET /v1/progress`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.progress.reading import ProgressList, ProgressPage, WholeProgress, read_progress
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.resource_reads import OF_DETAILS, OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.resource import Id
from app.core.reading.parameters import MAX_ITEMS
from app.projects.models import PROJECTS

ABOUT = (
    "For each indicator: targets, plans, baselines and actuals by date, each with its evidence, percentage and gap "
    "against the target it is comparable with, and an actual plus the plan that continues it. Figures count that cite "
    "a document or are kept by the project's manager; what others claim is listed beside. Actuals that follow each "
    "other without a gap (2022, 2023) are added up; what counts from the beginning is not held against the target of "
    "one year, unless the project began in it or the figure names the target. A target or an actual that "
    "is not there is null with a reason (`why_not`), never 0. Parts are shown, and never added to their whole."
)


class ProgressQuery(BaseModel, defer_build=True):
    """Parameters of one project's progress."""

    model_config = ConfigDict(extra="forbid")

    indicator: list[Id] | None = Field(default=None, description="Only these indicators.", max_length=MAX_ITEMS)


SEVERAL = ProgressList()


router = APIRouter(tags=["figures"])


@operation(
    router,
    "GET",
    "/v1/projects/{project_id}/progress",
    "Targets against actuals of one project",
    about=ABOUT,
    returns=WholeProgress,
    in_path=id_in_path(PROJECTS),
    problems=OF_DETAILS,
)
async def read_project_progress(request: Request, query: ProgressQuery, project_id: str) -> Response:
    """The progress of a project, with its parts."""
    checked_id(project_id)
    return await write_response(request, lambda: read_progress(project_id, query, read_request(request)))


@operation(
    router,
    "GET",
    "/v1/progress",
    "Targets against actuals of many projects",
    about=f"Projects that have such figures, under the filters of the list of projects.\n\n{ABOUT}",
    returns=ProgressPage,
    query=lambda: SEVERAL.query,
    problems=OF_LISTS,
)
async def list_progress(request: Request, query: BaseModel) -> Response:
    """The progress of a page of projects."""
    return await write_response(request, lambda: SEVERAL.page(query, read_request(request)), long=True)

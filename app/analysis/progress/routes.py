"""`GET /v1/projects/{project_id}/progress` and `GET /v1/progress`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.progress.reading import ProgressList, ProgressPage, WholeProgress, read_progress
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.read_endpoints import OF_DETAILS, OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.labels import Language
from app.core.model.resource import Id
from app.core.reading.parameters import LABELS_TEXT, LANG_TEXT, MAX_ITEMS
from app.projects.models import PROJECTS

DESCRIPTION = """\
For each indicator, the response lists targets, plans, baselines and actuals by date, with their evidence. It is
computed from the published figures when it is read.

**Which figures count.** Figures that cite a document, and figures that the project's manager maintains. All others are
listed as `claims` and are not counted.

**Targets.** Each actual is compared with the target that it names (`compared_with`). Otherwise the target must have the
same indicator, unit, breakdown and area, and its period must contain the time for which the actual counts. A
cumulative number counts from the start of the project, so it is compared with the target of one year only if the
project started in that year or the figure names the target.

**Sums.**

- Actuals whose periods follow each other without a gap (2022, 2023) are added up.
- An actual that counts from the start is added to the plan that continues it (`sums`).
- Parts of a figure and sub-projects are shown, and never added to the total or the wider project.

**Missing numbers.** A percentage that cannot be computed is null, with the reason in `why_not`. It is never 0 instead.
"""


class ProgressQuery(BaseModel, defer_build=True):
    """Parameters of one project's progress."""

    model_config = ConfigDict(extra="forbid")

    indicator: list[Id] | None = Field(
        default=None, description="Only figures of these indicators.", max_length=MAX_ITEMS
    )
    labels: Language | None = Field(default=None, description=LABELS_TEXT)
    lang: Language | None = Field(default=None, description=LANG_TEXT)


PROGRESS_LIST = ProgressList()

router = APIRouter(tags=["analysis"])


@operation(
    router,
    "GET",
    "/v1/projects/{project_id}/progress",
    "Read the progress of a project",
    about=f"Targets and actuals of a project and its sub-projects.\n\n{DESCRIPTION}",
    returns=WholeProgress,
    in_path=id_in_path(PROJECTS),
    problems=OF_DETAILS,
)
async def read_project_progress(request: Request, query: ProgressQuery, project_id: str) -> Response:
    """Return the progress of a project and its sub-projects."""
    checked_id(project_id)
    return await write_response(request, lambda: read_progress(project_id, query, read_request(request)))


@operation(
    router,
    "GET",
    "/v1/progress",
    "List the progress of projects",
    about=f"Targets and actuals of the projects that have figures, with the filters of the list of projects. A "
    f"sub-project is an item of its own.\n\n{DESCRIPTION}",
    returns=ProgressPage,
    query=lambda: PROGRESS_LIST.query,
    problems=OF_LISTS,
)
async def list_progress(request: Request, query: BaseModel) -> Response:
    """Return a page of projects with their progress."""
    return await write_response(request, lambda: PROGRESS_LIST.page(query, read_request(request)), long=True)

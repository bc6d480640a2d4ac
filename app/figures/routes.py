"""What is computed from figures: `GET /v1/projects/{project_id}/progress` and `GET /v1/progress`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.query import MOST_ITEMS
from app.core.resource import Id
from app.core.routes import NOT_CHANGED, OF_DETAILS, OF_LISTS, ReadRoute, answer, checked, has, problems
from app.figures.progress_reading import ProgressPage, Several, WholeProgress, of_project
from app.projects.models import PROJECTS

ABOUT = (
    "For each indicator: targets, plans, baselines and actuals by date, each with its evidence, percentage and gap "
    "against the target it is comparable with, and an actual plus the plan that continues it. Figures count that cite "
    "a document or are kept by the project's manager; what others claim is listed beside. A target or an actual that "
    "is not there is null with a reason (`why_not`), never 0. Parts are shown, and never added to their whole."
)


class ProgressQuery(BaseModel):
    """Parameters of one project's progress."""

    model_config = ConfigDict(extra="forbid")

    indicator: list[Id] | None = Field(default=None, description="Only these indicators.", max_length=MOST_ITEMS)


def figures_router() -> APIRouter:
    """What is computed from figures. Its paths come before those of single records."""
    router = APIRouter(tags=["figures"], route_class=ReadRoute, responses=NOT_CHANGED)
    several = Several()
    model = several.query()

    @router.get(
        "/v1/projects/{project_id}/progress",
        operation_id="read_project_progress",
        summary="Targets against actuals of one project",
        description=ABOUT,
        response_model=WholeProgress,
        responses=problems(*OF_DETAILS),
    )
    async def read_project_progress(
        request: Request,
        project_id: Annotated[Id, Path(description="Id of the project.", examples=[PROJECTS.example])],
        query: Annotated[ProgressQuery, Query()],
    ) -> Response:
        project_id = checked(project_id)
        return await answer(request, lambda: of_project(project_id, query, has(request), request.scope["path"]))

    @router.get(
        "/v1/progress",
        operation_id="list_progress",
        summary="Targets against actuals of many projects",
        description=f"Projects that have such figures, under the filters of the list of projects.\n\n{ABOUT}",
        response_model=ProgressPage,
        responses=problems(*OF_LISTS),
    )
    async def list_progress(request: Request, query: Annotated[model, Query()]) -> Response:  # type: ignore[valid-type]
        return await answer(request, lambda: several.page(query, has(request), request.scope["path"]))

    return router

"""The index of the API, the code lists, and the health checks."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from app.core.access.clients import client_of
from app.core.database.statements import Query, Read
from app.core.errors import NotFound, Unavailable
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import json_response
from app.core.model.resource import RESOURCES
from app.core.public_paths import public
from app.core.settings import Settings
from app.core.values import codelists
from app.core.values.json import to_json
from app.core.values.text import LanguageMap

TAGS = (
    {"name": "codelists", "description": "The codes that members of records can have, with labels in two languages."},
    {"name": "service", "description": "The index of the API, and the health of the service."},
)
codelists_router = APIRouter(tags=["codelists"])
VERSION = Query(text("SELECT version_num FROM alembic_version"))


class RegistryIndex(BaseModel, defer_build=True):
    """The paths of the API, its version, and the licence of the data."""

    name: str = Field(description="Name of this registry.")
    about: LanguageMap = Field(description="What the registry is, by language.")
    version: str = Field(description="Version of the program.")
    resources: dict[str, str] = Field(description="Path of the list of each resource.")
    search: str = Field(description="Path of the search in all resources.")
    progress: str = Field(description="Path of targets and actuals.")
    aggregate: str = Field(description="Path of aggregated figures.")
    timeline: str = Field(description="Path of dated events.")
    audit: str = Field(description="Path of the findings of the audit.")
    iati: str = Field(description="Path of the IATI file of activities.")
    changes: str = Field(description="Path of the change feed.")
    export: str = Field(description="Path of the archive of all public records.")
    catalog: str = Field(description="Path of the catalogue for data portals.")
    codelists: str = Field(description="Path of all codes with their labels.")
    openapi: str = Field(description="Path of the contract, an OpenAPI document.")
    docs: str = Field(description="Path of the page on which requests can be tried out.")
    reference: str = Field(description="Path of the page that describes all operations.")
    problems: str = Field(description="Path of the page that explains all errors.")
    licence: str = Field(description="SPDX id of the licence of the data.")
    licence_url: str = Field(description="URL of the text of this licence.")


class CodeShown(BaseModel, defer_build=True):
    """One code of a list."""

    code: str = Field(description="The value that records and parameters have.")
    label: LanguageMap = Field(description="What to show to people in place of the code, by language.")
    iati: str | None = Field(description="The equivalent code in the IATI code list `iati_codelist`, if any.")
    parent: str | None = Field(
        description="The wider code of the same list, if any, such as the group of a sector. A filter by it also finds "
        "the records with this code."
    )


class CodeListShown(BaseModel, defer_build=True):
    """A closed list of codes."""

    name: str = Field(description="Name of the list, which is part of its path.")
    description: str = Field(description="What the codes are for, and how similar codes differ.")
    source: str = Field(description="Who defines these codes.")
    iati_codelist: str | None = Field(description="The IATI 2.03 code list to which `iati` refers, if any.")
    codes: list[CodeShown] = Field(description="All codes of the list.")


class CodeLists(BaseModel, defer_build=True):
    """All code lists."""

    items: list[CodeListShown] = Field(description="All code lists, in the order of their names.")
    next: None = Field(description="Always null, because all lists are on one page.")


class Alive(BaseModel, defer_build=True):
    """The process is alive."""

    status: str = Field(description="`ok`: the process answers requests.", examples=["ok"])


class ReplicaShown(BaseModel, defer_build=True):
    """A replica of the database."""

    state: str = Field(
        description="`ok`: clients read it. `behind`: it is too far behind. `unavailable`: it does not answer.",
        examples=["ok"],
    )
    changes_behind: int = Field(description="How many Changes the primary has that the replica does not have.")
    seconds_behind: float = Field(
        description="For how many seconds the primary has had a Change that it does not have."
    )


class SourceShown(BaseModel, defer_build=True):
    """The registry that a read node mirrors."""

    state: str = Field(
        description="`ok`: the node follows it. `unreachable`: it does not answer, so the node can be further behind. "
        "In other states, the node is not ready.",
        examples=["ok"],
    )
    changes_behind: int = Field(description="How many Changes the source has that the node does not have.")
    seconds_behind: float = Field(description="For how many seconds the source has had a Change that it does not have.")


class Ready(BaseModel, defer_build=True):
    """The database responds and has the schema that this program needs."""

    status: str = Field(description="`ok`: the database answers and has the right schema.", examples=["ok"])
    schema_version: str = Field(description="Revision of the schema of the database.")
    primary: str | None = Field(
        default=None,
        description="Whether the primary answers: `ok` or `unavailable`. Only of a registry with replicas.",
    )
    replicas: list[ReplicaShown] | None = Field(
        default=None, description="The replicas, in the order of the setting. Only of a registry with replicas."
    )
    source: SourceShown | None = Field(default=None, description="The registry that it mirrors. Only of a read node.")


def site_router(settings: Settings, version: str, schema: str) -> APIRouter:
    """Return the router of `/v1`, `/livez` and `/readyz`.

    `schema` is the revision that the database must have, or a later one while the servers of a new version start.
    """
    router = APIRouter(tags=["service"])
    content = index(settings, version)

    @operation(router, "GET", "/v1", "Read the index", returns=RegistryIndex)
    async def read_index(request: Request) -> Response:
        """The paths of the API, its version, and the licence of the data."""
        return json_response(request, content)

    operation(router, "GET", "/livez", "Check that the process is alive", returns=Alive, tagged=False)(read_livez)

    @operation(
        router,
        "GET",
        "/readyz",
        "Check that it can serve requests",
        returns=Ready,
        tagged=False,
        problems=(Unavailable,),
    )
    async def read_readyz(request: Request) -> Response:
        """The database responds and has the schema of this program. A read node is not far behind its source.

        It fails while the server is about to stop.
        """
        if request.app.state.stop_delay.is_stopping:
            raise Unavailable("The server is about to stop. Send requests to another one.")
        schema_version = await request.app.state.separate_reader.run(_schema, client=client_of(request.scope))
        if not schema_version.isdecimal() or schema_version < schema:  # a newer one can be read, and not written
            raise Unavailable("The database does not have the schema of this program. Run `hoptac migrate`.")
        return _uncached_json(
            {
                "status": "ok",
                "schema_version": schema_version,
                **_replicas(request.app.state.replicas),
                **_source(request.app.state.source),
            }
        )

    return router


async def list_codelists(request: Request) -> Response:
    """All code lists with their codes."""
    return json_response(request, _codelists())


async def read_codelist(request: Request, codelist: str) -> Response:
    """One code list with its codes."""
    if codelist not in codelists.ALL:
        raise NotFound
    return json_response(request, to_json(codelists.ALL[codelist].as_dict()))


operation(codelists_router, "GET", "/v1/codelists", "List the code lists", returns=CodeLists)(list_codelists)
operation(
    codelists_router,
    "GET",
    "/v1/codelists/{codelist}",
    "Read one code list",
    returns=CodeListShown,
    in_path={"codelist": PathParameter("Name of the code list.", "project_status", str)},
    problems=(NotFound,),
)(read_codelist)


async def read_livez(_: Request) -> Response:
    """The process is alive. The database is not checked."""
    return _uncached_json({"status": "ok"})


def _replicas(replicas: Any) -> dict[str, Any]:
    """Return what is known of the replicas, if there are any."""
    if replicas is None:
        return {}
    primary = "ok" if replicas.primary.responds else "unavailable"
    return {"primary": primary, "replicas": [state._asdict() for state in replicas.states()]}


def _source(source: Any) -> dict[str, Any]:
    """Return what is known of the source of a read node. Raise Unavailable if the node is too far behind it."""
    if source is None:
        return {}
    source.ensure_near()
    return {"source": source.state()._asdict()}


def _schema() -> Read:
    rows = yield VERSION, {}
    value = rows[0][0] if rows else ""
    return value.decode() if isinstance(value, bytes) else value


def index(settings: Settings, version: str) -> bytes:
    """Return the paths of the API, its version, and the licence of the data, as JSON."""
    return to_json(
        {
            "name": settings.site_name,
            "about": {
                "en": "An open registry of international cooperation, with evidence for every figure.",
                "vi": "Sổ đăng ký mở về hợp tác quốc tế, mỗi con số đều có nguồn.",
            },
            "version": version,
            "resources": {name: public(f"/v1/{name}") for name in RESOURCES},
            "search": public("/v1/search"),
            "progress": public("/v1/progress"),
            "aggregate": public("/v1/figures/aggregate"),
            "timeline": public("/v1/timeline"),
            "audit": public("/v1/audit"),
            "iati": public("/v1/iati/activities.xml"),
            "changes": public("/v1/changes"),
            "export": public("/v1/export"),
            "catalog": public("/v1/catalog.jsonld"),
            "codelists": public("/v1/codelists"),
            "openapi": public("/openapi.json"),
            "docs": public("/docs"),
            "reference": public("/reference"),
            "problems": public("/problems"),
            "licence": settings.data_licence,
            "licence_url": settings.data_licence_url,
        }
    )


@cache
def _codelists() -> bytes:
    lists = [codelists.ALL[name].as_dict() for name in sorted(codelists.ALL)]
    return to_json({"items": lists, "next": None})


def _uncached_json(content: Mapping[str, Any]) -> Response:
    return Response(to_json(content), headers={"Cache-Control": "no-store"}, media_type="application/json")

"""Everything beside the records: the index, code lists, health, metrics, and the pages for developers."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from app.core.database.statements import Query, Read
from app.core.errors import NotFound, Unavailable
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import json_response
from app.core.model.resource import RESOURCES
from app.core.settings import Settings
from app.core.values import codelists
from app.core.values.json import to_json
from app.core.values.text import LanguageMap

VERSION = Query(text("SELECT version_num FROM alembic_version"))


class Index(BaseModel, defer_build=True):
    """Where everything is."""

    name: str
    about: LanguageMap
    version: str = Field(description="Version of the program.")
    resources: dict[str, str] = Field(description="Path of each resource's list.")
    search: str
    progress: str = Field(description="Targets against actuals.")
    aggregate: str = Field(description="Figures added up.")
    timeline: str = Field(description="What comes when.")
    audit: str = Field(description="What a careful reader would flag.")
    changes: str = Field(description="Every change, to follow.")
    codelists: str
    openapi: str
    docs: str
    reference: str
    problems: str
    licence: str = Field(description="SPDX id of the licence of the data.")
    licence_url: str


class CodeShown(BaseModel, defer_build=True):
    """One code of a list."""

    code: str
    label: LanguageMap
    iati: str | None = Field(description="The code of the same meaning in the IATI code list named by the list.")


class CodeListShown(BaseModel, defer_build=True):
    """A closed list of codes."""

    name: str
    description: str
    source: str = Field(description="Whose codes these are.")
    iati_codelist: str | None = Field(description="The IATI 2.03 code list that `iati` refers to.")
    codes: list[CodeShown]


class CodeLists(BaseModel, defer_build=True):
    """All code lists."""

    items: list[CodeListShown]
    next: None = Field(description="Always null: the lists fit one page.")


class Alive(BaseModel, defer_build=True):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Ready(BaseModel, defer_build=True):
    """The database answers and has the schema that this program needs."""

    status: str = Field(examples=["ok"])
    schema_version: str


def site_router(settings: Settings, version: str, schema: str) -> APIRouter:
    """`/v1`, `/v1/codelists`, `/livez`, `/readyz`. `schema` is the revision that the database must have."""
    router = APIRouter(tags=["registry"])
    index = _index(settings, version)

    @operation(router, "GET", "/v1", "Where everything is", returns=Index)
    async def read_index(request: Request) -> Response:
        return json_response(request, index)

    operation(router, "GET", "/v1/codelists", "List the code lists", returns=CodeLists)(list_codelists)
    operation(
        router,
        "GET",
        "/v1/codelists/{codelist}",
        "Read one code list",
        returns=CodeListShown,
        in_path={"codelist": PathParameter("Its name.", "project_status", str)},
        problems=(NotFound,),
    )(read_codelist)
    operation(router, "GET", "/livez", "Is the process alive?", returns=Alive, tagged=False)(read_livez)

    @operation(router, "GET", "/readyz", "Can it serve?", returns=Ready, tagged=False, problems=(Unavailable,))
    async def read_readyz(request: Request) -> Response:
        found = await request.app.state.reader.run(_schema)
        if found != schema:
            raise Unavailable("The database does not have the schema of this program: run `hoptac migrate`.")
        return _uncached_json({"status": "ok", "schema_version": found})

    return router


async def list_codelists(request: Request) -> Response:
    """Every code list."""
    return json_response(request, _codelists())


async def read_codelist(request: Request, codelist: str) -> Response:
    """One code list."""
    if codelist not in codelists.ALL:
        raise NotFound
    return json_response(request, to_json(codelists.ALL[codelist].as_dict()))


async def read_livez(_: Request) -> Response:
    """That the process answers."""
    return _uncached_json({"status": "ok"})


def _schema() -> Read:
    rows = yield VERSION, {}
    value = rows[0][0] if rows else ""
    return value.decode() if isinstance(value, bytes) else value


def _index(settings: Settings, version: str) -> bytes:
    return to_json(
        {
            "name": settings.site_name,
            "about": {
                "en": "An open registry of international cooperation, with evidence for every figure.",
                "vi": "Sổ đăng ký mở về hợp tác quốc tế, mỗi con số đều có nguồn.",
            },
            "version": version,
            "resources": {name: f"/v1/{name}" for name in RESOURCES},
            "search": "/v1/search",
            "progress": "/v1/progress",
            "aggregate": "/v1/figures/aggregate",
            "timeline": "/v1/timeline",
            "audit": "/v1/audit",
            "changes": "/v1/changes",
            "codelists": "/v1/codelists",
            "openapi": "/openapi.json",
            "docs": "/docs",
            "reference": "/reference",
            "problems": "/problems",
            "licence": settings.data_licence,
            "licence_url": settings.data_licence_url,
        }
    )


@cache
def _codelists() -> bytes:
    return to_json({"items": [codelist.as_dict() for codelist in codelists.ALL.values()], "next": None})


def _uncached_json(content: Mapping[str, Any]) -> Response:
    return Response(to_json(content), headers={"Cache-Control": "no-store"}, media_type="application/json")

"""`…/{id}/evidence.jsonld` and `…/{id}/provenance.jsonld` of every resource, and `…/paragraphs/{number}.jsonld`."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from app.core.http.operations import PathParameter, checked_id, id_in_path, operation
from app.core.http.read_endpoints import OF_DETAILS, of_records
from app.core.http.responses import read_request, write_response
from app.core.model.resource import Resource
from app.documents.models import DOCUMENTS
from app.documents.texts.routes import OF_PARAGRAPH, checked_number
from app.exchange.linked_data import annotations, provenance
from app.exchange.linked_data.annotations import Publication
from app.exchange.linked_data.reading import read_annotations, read_paragraph_annotations, read_provenance

FORMATS = ("jsonld",)
KIND: Any = Literal["jsonld"]
FORMAT = {"format": PathParameter("Format of the file.", "jsonld", KIND)}
JSON_LD = {"application/ld+json": {"schema": {"type": "object"}}}
ANNOTATIONS_TEXT = """\
The citations of the {one} as an `AnnotationCollection` of the Web Annotation Data Model. Each annotation selects the
quoted words in the document by a `TextQuoteSelector`, with the words around them where the registry may show these. Its
bodies are the parts of the {one} that the words support, the basis and the note."""
PROVENANCE_TEXT = """\
The provenance of the {one} in PROV-O: its latest 50 versions, the changes that generated them and who made these, the
cited paragraphs from which the present version is derived, those who said it, and the publishers of the documents."""


def linked_data_router(resource: Resource) -> APIRouter:
    """Return the routes of one resource."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name])
    _add(router, resource, "evidence", f"Read the citations of {resource.a_one} as Web Annotations", ANNOTATIONS_TEXT)
    _add(router, resource, "provenance", f"Read the provenance of {resource.a_one} as PROV-O", PROVENANCE_TEXT)
    if resource is DOCUMENTS:
        _add_paragraph(router)
    return router


def _add(router: APIRouter, resource: Resource, name: str, summary: str, text: str) -> None:
    id_name = f"{resource.one}_id"
    is_evidence = name == "evidence"
    read_graph = read_annotations if is_evidence else read_provenance
    media_type = annotations.MEDIA_TYPE if is_evidence else provenance.MEDIA_TYPE

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}/{name}.{{format}}",
        summary,
        name=f"export_{resource.one}_{name}",
        about=text.format(one=resource.one),
        formats=lambda _: FORMATS,
        in_path={**id_in_path(resource), **FORMAT},
        answers=JSON_LD,
        statuses={"200": "The graph."},
        problems=of_records(resource),
    )
    async def read(request: Request, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        publication = _publication(request)
        return await write_response(
            request,
            lambda: read_graph(resource, record_id, read_request(request), publication),
            media_type=media_type,
        )


def _add_paragraph(router: APIRouter) -> None:
    @operation(
        router,
        "GET",
        "/{document_id}/paragraphs/{number}.{format}",
        "Read the citations of a paragraph as Web Annotations",
        name="export_document_paragraph",
        formats=lambda _: FORMATS,
        in_path={**OF_PARAGRAPH, **FORMAT},
        answers=JSON_LD,
        statuses={"200": "The graph."},
        problems=OF_DETAILS,
    )
    async def read(request: Request, document_id: str, number: str, **_: str) -> Response:
        """The citations in public records, each of which selects its words in the paragraph."""
        checked_id(document_id)
        at = checked_number(number)
        publication = _publication(request)
        return await write_response(
            request,
            lambda: read_paragraph_annotations(document_id, at, read_request(request), publication),
            media_type=annotations.MEDIA_TYPE,
        )


def _publication(request: Request) -> Publication:
    settings = request.scope["app"].state.settings
    return Publication(settings.public_url, settings.site_name, settings.data_licence_url)

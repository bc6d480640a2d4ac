"""`/v1/catalog.jsonld`: the datasets of the registry for data portals, in the profile DCAT-AP 3."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from app.core.change_log import LATEST_CHANGE
from app.core.database.statements import Query, Read
from app.core.model.resource import RESOURCES, Resource
from app.core.public_paths import absolute
from app.core.settings import Settings
from app.exchange.exports.geojson import has_points
from app.exchange.exports.parquet import ParquetFile, is_available
from app.exchange.metadata.dataset_texts import CATALOGUE, DATASETS, KEYWORDS, REGISTRY, DatasetTexts
from app.exchange.metadata.record_schemas import schema_path

PATH = "/v1/catalog.jsonld"
MEDIA_TYPE = "application/ld+json"
PROFILE = "http://data.europa.eu/r5r/"  # of DCAT-AP
AUTHORITY = "http://publications.europa.eu/resource/authority/"
IANA = "https://www.iana.org/assignments/media-types/"
LAST = Query(LATEST_CHANGE)

# It refers to no file at another address, so a harvester needs no other request.
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


class FileFormat(NamedTuple):
    """A format of a distribution: its name, its media type, and its code in the list of file types, if it has one."""

    title: str
    media_type: str
    code: str | None


FORMATS = {
    "csv": FileFormat("CSV", "text/csv", "CSV"),
    "jsonl": FileFormat("JSON Lines", "application/x-ndjson", None),
    "xlsx": FileFormat("Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "XLSX"),
}
PARQUET = FileFormat("Parquet", ParquetFile.media_type, None)
GEOJSON = FileFormat("GeoJSON", "application/geo+json", "GEOJSON")
API = FileFormat("JSON API", "application/json", "JSON")
ZIP = FileFormat("ZIP", "application/zip", "ZIP")


def read_catalog(settings: Settings) -> Read:
    """Return the catalogue, which is as new as the last Change, and no next page."""
    rows = yield LAST, {}
    return DatasetCatalog(settings).graph(rows[0][1] if rows else None), None


class DatasetCatalog:
    """The catalogue of a registry with these settings. Without a public URL, addresses are paths."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._publisher = {"@type": "foaf:Agent", "foaf:name": settings.site_name}

    def graph(self, modified: str | None) -> dict[str, Any]:
        """Return the catalogue as JSON-LD."""
        datasets = [self._of_resource(resource) for resource in RESOURCES.values()]
        if self._settings.max_archive:
            datasets.append(self._of_registry())
        catalog: dict[str, Any] = {
            "@context": CONTEXT,
            "@id": self._address(PATH),
            "@type": "dcat:Catalog",
            "dct:title": self._settings.site_name,
            "dct:description": _texts(CATALOGUE),
            "dct:publisher": self._publisher,
            "dct:license": {"@id": self._settings.data_licence_url},
            "dct:language": _languages(),
            "dct:conformsTo": {"@id": PROFILE},
            "foaf:homepage": {"@id": self._address("/"), "@type": "foaf:Document"},
            "dcat:dataset": datasets,
            "dcat:service": self._service(),
        }
        if modified:
            catalog["dct:modified"] = {"@value": modified, "@type": "xsd:dateTime"}
        return catalog

    def _service(self) -> dict[str, Any]:
        return {
            "@id": self._address("/v1"),
            "@type": "dcat:DataService",
            "dct:title": f"{self._settings.site_name} API",
            "dcat:endpointURL": {"@id": self._address("/v1")},
            "dcat:endpointDescription": {"@id": self._address("/openapi.json")},
            "dct:license": {"@id": self._settings.data_licence_url},
            "dcat:servesDataset": [{"@id": self._dataset(name)} for name in RESOURCES],
        }

    def _of_resource(self, resource: Resource) -> dict[str, Any]:
        texts = DATASETS[resource.name]
        return {**self._described(resource.name, texts), "dcat:distribution": list(self._distributions(resource))}

    def _of_registry(self) -> dict[str, Any]:
        distribution = self._distribution("/v1/export", ZIP, "/v1/export")
        parts = [{"@id": self._dataset(name)} for name in RESOURCES]
        return {**self._described("registry", REGISTRY), "dct:hasPart": parts, "dcat:distribution": [distribution]}

    def _described(self, name: str, texts: DatasetTexts) -> dict[str, Any]:
        dataset: dict[str, Any] = {
            "@id": self._dataset(name),
            "@type": "dcat:Dataset",
            "dct:identifier": name,
            "dct:title": _texts(texts.title),
            "dct:description": _texts(texts.description),
            "dct:publisher": self._publisher,
            "dct:language": _languages(),
            "dct:accessRights": {"@id": f"{AUTHORITY}access-right/PUBLIC"},
            "dcat:theme": {"@id": f"{AUTHORITY}data-theme/INTR"},
            "dcat:keyword": [{"@value": word, "@language": language} for language, word in KEYWORDS],
        }
        contact = self._settings.contact
        if contact:
            address = {"vcard:hasURL" if "://" in contact else "vcard:hasEmail": {"@id": _contact_address(contact)}}
            dataset["dcat:contactPoint"] = {"@type": "vcard:Kind", "vcard:fn": self._settings.site_name, **address}
        return dataset

    def _distributions(self, resource: Resource) -> Iterator[dict[str, Any]]:
        path = f"/v1/{resource.name}"
        of_api = self._distribution(path, API, None)
        yield {**of_api, "dcat:accessService": {"@id": self._address("/v1")}, **self._schema(resource)}
        formats = {**FORMATS, "geojson": GEOJSON} if has_points(resource) else FORMATS
        formats = {**formats, "parquet": PARQUET} if is_available() else formats
        for extension, file_format in formats.items():
            file = self._distribution(path, file_format, f"{path}.{extension}")
            yield {**file, **self._schema(resource)} if extension == "jsonl" else file

    def _schema(self, resource: Resource) -> dict[str, Any]:
        return {"dct:conformsTo": {"@id": self._address(schema_path(resource)), "@type": "dct:Standard"}}

    def _distribution(self, access: str, file_format: FileFormat, download: str | None) -> dict[str, Any]:
        distribution: dict[str, Any] = {
            "@id": f"{self._address(download or access)}#distribution",
            "@type": "dcat:Distribution",
            "dct:title": file_format.title,
            "dcat:accessURL": {"@id": self._address(access)},
            "dct:license": {"@id": self._settings.data_licence_url},
            "dct:format": _format(file_format),
        }
        if file_format.code:
            distribution["dcat:mediaType"] = {"@id": f"{IANA}{file_format.media_type}"}
        if download:
            distribution["dcat:downloadURL"] = {"@id": self._address(download)}
        return distribution

    def _dataset(self, name: str) -> str:
        return f"{self._address(PATH)}#{name}"

    def _address(self, path: str) -> str:
        return absolute(self._settings.public_url, path)


def _texts(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"@value": text, "@language": language} for language, text in texts.items()]


def _languages() -> list[dict[str, str]]:
    return [{"@id": f"{AUTHORITY}language/{code}"} for code in ("VIE", "ENG")]


def _format(file_format: FileFormat) -> dict[str, str]:
    if file_format.code:
        return {"@id": f"{AUTHORITY}file-type/{file_format.code}"}
    return {"@type": "dct:MediaTypeOrExtent", "rdfs:label": file_format.media_type}


def _contact_address(contact: str) -> str:
    return contact if "://" in contact else f"mailto:{contact}"

"""The provenance of a record in PROV-O (https://www.w3.org/TR/prov-o/).

Each version of the record is an entity, which a Change generated. The present version is derived from the paragraphs
that it cites and attributed to those who said it; the documents are attributed to their publishers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from app.exchange.linked_data.annotations import Cited, Publication, annotation_id

MEDIA_TYPE = "application/ld+json"
# It refers to no file at another address, so a reader needs no other request.
CONTEXT = {
    "prov": "http://www.w3.org/ns/prov#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
VOICES = ("said_by", "relayed_for")
WITHOUT_VERSION = "delete"

Node = dict[str, Any]


class Version(NamedTuple):
    """A public Change of a record. `partner` is that of the key that wrote it."""

    sequence: int
    version: int
    at: str
    action: str
    actor: str
    partner: str | None


@dataclass(frozen=True)
class Provenance:
    """What the provenance of a record consists of. The versions begin with the newest."""

    path: str
    record: Mapping[str, Any]
    cited: Sequence[Cited]
    documents: Iterable[Mapping[str, Any]]
    versions: Sequence[Version]
    publication: Publication

    def graph(self) -> Node:
        """Return the graph as JSON-LD."""
        nodes = [{"@id": self._address(self.path), "@type": "prov:Entity"}]
        nodes += [*self._of_versions(), *self._of_voices(), *self._of_paragraphs(), *self._of_documents()]
        merged: dict[str, Node] = {}
        for node in nodes:
            merged.setdefault(node["@id"], {}).update(node)
        return {"@context": CONTEXT, "@graph": list(merged.values())}

    def _address(self, path: str) -> str:
        return self.publication.address(path)

    def _version_id(self, version: Version) -> str:
        return self._address(f"{self.path}?as_of={version.at}")

    def _of_versions(self) -> Iterator[Node]:
        later: Node | None = None
        for version, earlier in zip(self.versions, [*self.versions[1:], None], strict=True):
            activity = {"@id": self._address(f"/v1/changes?after={version.sequence - 1}&limit=1")}
            yield from self._of_change(version, activity)
            if version.action == WITHOUT_VERSION:
                later = activity
                continue
            entity = self._entity(version, earlier, activity)
            if later is not None:
                entity["prov:wasInvalidatedBy"] = later
            yield entity if version is not self.versions[0] else {**entity, **self._derived()}
            later = None

    def _entity(self, version: Version, earlier: Version | None, activity: Node) -> Node:
        entity = {
            "@id": self._version_id(version),
            "@type": "prov:Entity",
            "rdfs:label": f"{self.record['id']}, version {version.version}",
            "prov:specializationOf": {"@id": self._address(self.path)},
            "prov:generatedAtTime": _instant(version.at),
            "prov:wasGeneratedBy": activity,
        }
        if earlier is not None and earlier.action != WITHOUT_VERSION:
            entity["prov:wasRevisionOf"] = {"@id": self._version_id(earlier)}
        return entity

    def _of_change(self, version: Version, activity: Node) -> Iterator[Node]:
        """Yield the Change as an activity, and who wrote it."""
        actor = self._address(f"{self.path}/history#{quote(version.actor, safe=':')}")
        yield {
            **activity,
            "@type": "prov:Activity",
            "rdfs:label": version.action,
            "prov:endedAtTime": _instant(version.at),
            "prov:wasAssociatedWith": {"@id": actor},
        }
        agent: Node = {"@id": actor, "@type": "prov:Agent", "rdfs:label": version.actor}
        if version.partner:
            yield self._partner(version.partner)
            agent["prov:actedOnBehalfOf"] = {"@id": self._partner(version.partner)["@id"]}
        yield agent

    def _derived(self) -> Node:
        """Return what the present version adds: the paragraphs behind it, and who said it."""
        derivations = [
            {
                "@id": f"{self._address(self.path)}/provenance.jsonld#{cited.digest}",
                "@type": "prov:Derivation",
                "prov:entity": {"@id": self._source(cited)},
                "rdfs:seeAlso": {"@id": annotation_id(cited, self.publication)},
            }
            for cited in {cited.digest: cited for cited in self.cited}.values()
        ]
        voices = [{"@id": node} for node in dict.fromkeys(map(self._voice_id, self._voices()))]
        return {
            "prov:wasDerivedFrom": [{"@id": source} for source in dict.fromkeys(map(self._source, self.cited))],
            "prov:qualifiedDerivation": derivations,
            **({"prov:wasAttributedTo": voices} if voices else {}),
        }

    def _source(self, cited: Cited) -> str:
        """Return the address of the cited paragraph, or of the document if the citation states no paragraph."""
        number = cited.quotation["paragraph"]
        path = f"/v1/documents/{cited.quotation['document']}"
        return self._address(f"{path}/paragraphs/{number}" if number else path)

    def _voices(self) -> list[str]:
        return [name for name in VOICES if self.record.get(name)]

    def _voice_id(self, name: str) -> str:
        voice = self.record[name]
        return self._address(f"/v1/partners/{voice['partner']}" if _is_partner(voice) else f"{self.path}#{name}")

    def _of_voices(self) -> Iterator[Node]:
        for name in self._voices():
            voice = self.record[name]
            if voice["partner"]:
                yield self._partner(voice["partner"])
            if not _is_partner(voice):
                yield self._speaker(name, voice)

    def _speaker(self, name: str, voice: Mapping[str, Any]) -> Node:
        kinds = ["prov:Agent", "prov:Person"] if voice["name"] else ["prov:Agent"]
        node: Node = {"@id": self._voice_id(name), "@type": kinds}
        if voice["name"]:
            node["foaf:name"] = voice["name"]
        if voice["office"]:
            node["rdfs:label"] = _texts(voice["office"])
        if voice["partner"]:
            node["prov:actedOnBehalfOf"] = {"@id": self._partner(voice["partner"])["@id"]}
        return node

    def _partner(self, partner: str) -> Node:
        return {"@id": self._address(f"/v1/partners/{partner}"), "@type": ["prov:Agent", "prov:Organization"]}

    def _of_paragraphs(self) -> Iterator[Node]:
        for cited in self.cited:
            if cited.quotation["paragraph"]:
                document = self._address(f"/v1/documents/{cited.quotation['document']}")
                yield {"@id": self._source(cited), "@type": "prov:Entity", "dct:isPartOf": {"@id": document}}

    def _of_documents(self) -> Iterator[Node]:
        for document in self.documents:
            address = self._address(f"/v1/documents/{document['id']}")
            node: Node = {"@id": address, "@type": "prov:Entity", "dct:title": _texts(document["title"])}
            if document["url"]:
                node["dct:source"] = {"@id": document["url"]}
            if document["language"]:
                node["dct:language"] = document["language"]
            if document["published_on"]:
                node["dct:issued"] = document["published_on"]["edtf"]
            if document["publisher"]:
                publisher = {"@id": f"{address}#publisher", "@type": "prov:Agent", "foaf:name": document["publisher"]}
                node["prov:wasAttributedTo"] = {"@id": publisher["@id"]}
                yield publisher
            yield node


def _is_partner(voice: Mapping[str, Any]) -> bool:
    """Return whether a voice is a partner, without a person or an office."""
    return bool(voice["partner"] and not voice["name"] and not voice["office"])


def _instant(text: str) -> Node:
    return {"@value": text, "@type": "xsd:dateTime"}


def _texts(texts: Mapping[str, str]) -> list[Node]:
    return [{"@value": text, "@language": language} for language, text in texts.items()]

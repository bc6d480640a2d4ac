"""The XML Schema of the extension, made from the shapes of the resources. `extension.xsd` has it as it is served."""

from collections.abc import Mapping
from importlib.resources import files

from app.core.model.resource import RESOURCES, Resource
from app.exchange.formats.schema_paths import description_of
from app.exchange.iati.extension.shapes import NAMESPACE, PREFIX, Shape, shapes_of
from app.exchange.iati.markup import DECLARATION, element, text

FILE = files("app.exchange.iati.extension") / "extension.xsd"
SCHEMA_TEXT = (
    "Records of a Hoptac registry in IATI 2.03 files. Each element is one record with all of its members, which have "
    "the names and values of the API. Absent and empty members are left out. A text with the attribute encoding=json "
    "is a JSON string, because it has characters that XML cannot contain."
)
LISTS = {"minOccurs": "0", "maxOccurs": "unbounded"}
SINGLE = {
    "text": f"{PREFIX}:text",
    "date": f"{PREFIX}:date",
    "languages": f"{PREFIX}:languages",
    "entries": f"{PREFIX}:entries",
    "number": "xs:double",
    "integer": "xs:integer",
    "boolean": "xs:boolean",
}
# Any attribute of the namespace of XML stands for xml:lang. A reference to it would need another schema.
COMMON = f"""<xs:complexType name="text"><xs:simpleContent><xs:extension base="xs:string">
<xs:attribute name="encoding"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="json"/>
</xs:restriction></xs:simpleType></xs:attribute></xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="date"><xs:annotation><xs:documentation>A date in EDTF, with its first and last day.
</xs:documentation></xs:annotation><xs:simpleContent><xs:extension base="xs:string">
<xs:attribute name="earliest" type="xs:date"/><xs:attribute name="latest" type="xs:date"/>
</xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="languages"><xs:sequence><xs:element name="text" maxOccurs="unbounded"><xs:complexType>
<xs:simpleContent><xs:extension base="{PREFIX}:text"><xs:anyAttribute
namespace="http://www.w3.org/XML/1998/namespace" processContents="skip"/></xs:extension>
</xs:simpleContent></xs:complexType></xs:element></xs:sequence></xs:complexType>
<xs:complexType name="entries"><xs:sequence><xs:element name="entry" maxOccurs="unbounded"><xs:complexType>
<xs:simpleContent><xs:extension base="{PREFIX}:text"><xs:attribute name="name" type="xs:string" use="required"/>
</xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence></xs:complexType>
"""


def extension_schema() -> str:
    """Return the schema."""
    attributes = {
        "xmlns:xs": "http://www.w3.org/2001/XMLSchema",
        f"xmlns:{PREFIX}": NAMESPACE,
        "targetNamespace": NAMESPACE,
        "elementFormDefault": "qualified",
    }
    records = [_record(resource) + "\n" for resource in RESOURCES.values()]
    return (
        DECLARATION + element("xs:schema", attributes, "\n", _documentation(SCHEMA_TEXT), "\n", COMMON, *records) + "\n"
    )


def _record(resource: Resource) -> str:
    members = [_member(name, shape, description_of(resource, (name,))) for name, shape in shapes_of(resource).items()]
    attributes = [
        element("xs:attribute", {"name": name, "type": kind, "use": "required"})
        for name, kind in (
            ("id", "xs:string"),
            ("version", "xs:positiveInteger"),
            ("created_at", "xs:dateTime"),
            ("updated_at", "xs:dateTime"),
        )
    ]
    content = element("xs:complexType", None, element("xs:sequence", None, *members), *attributes)
    return element("xs:element", {"name": resource.one}, "\n", _documentation(resource.about), content)


def _member(name: str, shape: Shape, explanation: str = "", occurs: Mapping[str, str] | None = None) -> str:
    attributes = {"name": name, **(occurs or {"minOccurs": "0"})}
    note = _documentation(explanation) if explanation else ""
    if shape.form in SINGLE:
        return "\n" + element("xs:element", {**attributes, "type": SINGLE[shape.form]}, note)
    if shape.item is not None:
        inner = [_member("item", shape.item, occurs=LISTS)]
    else:
        inner = [_member(member, inner_shape) for member, inner_shape in shape.members.items()]
    content = element("xs:complexType", None, element("xs:sequence", None, *inner))
    return "\n" + element("xs:element", attributes, note, content)


def _documentation(explanation: str) -> str:
    return element("xs:annotation", None, element("xs:documentation", None, text(explanation)))

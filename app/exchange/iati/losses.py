"""What a reader of the standard elements alone does not get: the report, and its reasons."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.values.codelists import Code, CodeList

LOSS = CodeList(
    "iati_loss",
    "Why an element of an IATI file does not have everything that the record has. The extension of the file has it.",
    {
        "no_element": Code("IATI has no element for it.", "IATI không có phần tử tương ứng."),
        "no_code": Code("The code list of IATI has no code for it.", "Bảng mã của IATI không có mã tương ứng."),
        "missing": Code(
            "IATI requires the element, and the record does not state what it needs.",
            "IATI bắt buộc có phần tử này, nhưng bản ghi không nêu nội dung cần thiết.",
        ),
        "not_an_activity": Code(
            "The project cannot be a valid activity, because required elements are missing.",
            "Dự án không thể là hoạt động hợp lệ vì thiếu các phần tử bắt buộc.",
        ),
        "not_an_organisation": Code(
            "The partner has no identifier with the scheme `iati-org`, which an organisation file requires.",
            "Đối tác không có mã theo hệ `iati-org` mà tệp tổ chức bắt buộc phải có.",
        ),
        "no_percentages": Code(
            "IATI accepts several codes only with percentages, which the record does not state. They are one code of "
            "the registry instead.",
            "IATI chỉ nhận nhiều mã khi có tỷ lệ phần trăm mà bản ghi không nêu. Các mã được gộp thành một mã của sổ "
            "đăng ký.",
        ),
        "less_precise": Code(
            "IATI has days only. The element has the first or the last day that the date can mean, or the narrative "
            "has the date.",
            "IATI chỉ có ngày. Phần tử có ngày đầu hoặc ngày cuối mà thời gian có thể chỉ, hoặc phần diễn giải nêu "
            "thời gian đó.",
        ),
        "no_day": Code(
            "The date has no first or no last day that the element could have.",
            "Thời gian không có ngày đầu hoặc ngày cuối để ghi vào phần tử.",
        ),
        "in_comment": Code(
            "It is only in the text of a comment or description.", "Chỉ có trong phần ghi chú hoặc mô tả bằng lời."
        ),
        "no_number": Code(
            "The figure has no single number, so that it is a comment of a qualitative indicator.",
            "Số liệu không có một con số duy nhất nên được ghi là nhận xét của chỉ số định tính.",
        ),
        "not_a_result": Code(
            "Only targets, actuals and baselines of a project are results in IATI.",
            "Trong IATI, chỉ mục tiêu, kết quả thực hiện và mức ban đầu của dự án là kết quả.",
        ),
        "no_activity": Code(
            "It belongs to no project that is an activity.", "Không thuộc dự án nào được xuất thành hoạt động."
        ),
        "not_linked": Code(
            "The linked record is not in the file, or cannot be named there.",
            "Bản ghi liên kết không có trong tệp hoặc không thể nêu trong tệp.",
        ),
        "no_link": Code(
            "The document has no web address, or its format or its category in IATI is not known.",
            "Tài liệu không có địa chỉ web, hoặc không rõ định dạng hay loại của nó trong IATI.",
        ),
        "other_form": Code(
            "The element has the text in another form: it contains characters that XML or the identifiers of IATI "
            "cannot contain.",
            "Phần tử có văn bản ở dạng khác vì có ký tự không dùng được trong XML hoặc trong mã của IATI.",
        ),
        "too_many": Code(
            "More records belong to the project than its activity can contain.",
            "Số bản ghi thuộc dự án nhiều hơn mức một hoạt động có thể chứa.",
        ),
    },
)

# Members that are the same in every record of a file: the public state, and the name of the resource.
SAME_IN_ALL = ("resource", "state")
# Members that only the registry sets, and which no element has.
OF_THE_REGISTRY = ("version", "created_at", "inferred")


# What a project needs for each required element of an activity.
NEEDS = {
    "description": "IATI requires a description of the project.",
    "participating-org": "IATI requires a partner that is funding, accountable, extending or implementing.",
    "activity-status": "IATI requires a status, and has none for projects whose stage is unknown.",
    "activity-date": "IATI requires a date on which the project starts: a period with a start.",
    "recipient-country": "IATI requires a country or region: a place of the project.",
    "sector": "IATI requires a sector.",
}


class Loss(NamedTuple):
    """A member of a record, by its JSON Pointer, that an element does not have. No element: none could."""

    member: str
    element: str
    reason: str


def present(record: Mapping[str, Any]) -> list[str]:
    """Return the names of the members of a record that state something."""
    return [name for name, value in record.items() if value not in (None, [], {}) and name not in SAME_IN_ALL]


def all_lost(record: Mapping[str, Any], reason: str, but: Iterable[str] = ()) -> Iterator[Loss]:
    """Yield a loss for each member of a record, but not for these members."""
    yield from (Loss(f"/{name}", "", reason) for name in present(record) if name not in but)


def entries(resource: Resource, record: Mapping[str, Any], losses: Iterable[Loss]) -> Iterator[dict[str, Any]]:
    """Yield an entry of the report for each element and reason, with the members that are concerned."""
    members: dict[tuple[str, str], dict[str, None]] = {}
    for loss in losses:
        members.setdefault((loss.element, loss.reason), {})[loss.member] = None
    for (element, reason), lost in members.items():
        yield {
            "resource": resource.name,
            "id": record["id"],
            "element": element or None,
            "reason": reason,
            "members": list(lost),
            "detail": LOSS.codes[reason].label,
        }

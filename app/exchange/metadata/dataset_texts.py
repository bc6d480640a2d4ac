"""Titles, descriptions and keywords of the datasets in the catalogue, in English and Vietnamese."""

from typing import NamedTuple

Texts = dict[str, str]


class DatasetTexts(NamedTuple):
    """The title and the description of a dataset, by language."""

    title: Texts
    description: Texts


REGISTRY = DatasetTexts(
    {"en": "The whole registry", "vi": "Toàn bộ dữ liệu"},
    {
        "en": "All public records of all resources as they were after one change, with the history of all changes, in "
        "one ZIP file.",
        "vi": "Mọi bản ghi công khai của mọi loại tại một thời điểm, cùng lịch sử thay đổi, trong một tệp ZIP.",
    },
)
CATALOGUE = {
    "en": "Records of international cooperation. Each record names the document that it comes from.",
    "vi": "Dữ liệu về hợp tác quốc tế. Mỗi bản ghi nêu văn bản làm nguồn.",
}
KEYWORDS = (
    ("en", "international cooperation"),
    ("en", "development cooperation"),
    ("en", "agreements"),
    ("en", "results"),
    ("vi", "hợp tác quốc tế"),
    ("vi", "hợp tác phát triển"),
    ("vi", "thỏa thuận"),
    ("vi", "kết quả"),
)
DATASETS = {
    "projects": DatasetTexts(
        {"en": "Cooperation projects", "vi": "Dự án hợp tác"},
        {
            "en": "Programmes, projects and phases, with partners and their roles, period, places, sectors and goals.",
            "vi": "Chương trình, dự án và giai đoạn, cùng đối tác, vai trò, thời gian, địa điểm, lĩnh vực và mục tiêu.",
        },
    ),
    "partners": DatasetTexts(
        {"en": "Partners", "vi": "Đối tác"},
        {
            "en": "Ministries, agencies, companies and other organisations that cooperate, with their names and codes.",
            "vi": "Bộ, cơ quan, doanh nghiệp và tổ chức tham gia hợp tác, cùng tên gọi và mã số.",
        },
    ),
    "agreements": DatasetTexts(
        {"en": "Agreements", "vi": "Thỏa thuận"},
        {
            "en": "Memoranda, treaties and contracts, with parties, signatories, date of signature and term.",
            "vi": "Bản ghi nhớ, điều ước và hợp đồng, cùng các bên, người ký, ngày ký và thời hạn.",
        },
    ),
    "milestones": DatasetTexts(
        {"en": "Milestones", "vi": "Mốc sự kiện"},
        {
            "en": "Dated events of projects and agreements, such as signings, meetings and launches.",
            "vi": "Sự kiện có ngày tháng của dự án và thỏa thuận, như ký kết, hội họp và khởi động.",
        },
    ),
    "statements": DatasetTexts(
        {"en": "Statements", "vi": "Phát biểu"},
        {
            "en": "Commitments, requests and positions: who stated them, to whom, and whether they were fulfilled.",
            "vi": "Cam kết, đề nghị và quan điểm, cùng người nêu, nơi nhận và việc thực hiện.",
        },
    ),
    "figures": DatasetTexts(
        {"en": "Figures", "vi": "Số liệu"},
        {
            "en": "Targets, results and amounts, each with its unit, period, source and the words of the source.",
            "vi": "Mục tiêu, kết quả và số tiền, kèm đơn vị, thời gian, nguồn và nguyên văn của nguồn.",
        },
    ),
    "indicators": DatasetTexts(
        {"en": "Indicators", "vi": "Chỉ tiêu"},
        {
            "en": "What the figures measure, with the unit and the direction of improvement.",
            "vi": "Nội dung mà số liệu đo lường, kèm đơn vị và chiều hướng cải thiện.",
        },
    ),
    "transactions": DatasetTexts(
        {"en": "Transactions", "vi": "Giao dịch"},
        {
            "en": "Budgets, commitments and payments, each an amount in one currency, with provider and receiver.",
            "vi": "Ngân sách, cam kết và khoản chi, mỗi khoản bằng một loại tiền, kèm ngày, bên chi và bên nhận.",
        },
    ),
    "documents": DatasetTexts(
        {"en": "Source documents", "vi": "Văn bản nguồn"},
        {
            "en": "The documents that records cite, with issuer, date, number and address.",
            "vi": "Các văn bản được bản ghi trích dẫn, kèm cơ quan ban hành, ngày, số hiệu và địa chỉ.",
        },
    ),
    "places": DatasetTexts(
        {"en": "Places", "vi": "Địa điểm"},
        {
            "en": "Countries, regions, provinces and other places of the records, with their codes.",
            "vi": "Quốc gia, vùng, tỉnh và địa điểm khác của bản ghi, kèm mã số.",
        },
    ),
}

"""Vietnamese and English words for scales, digits, units and months, with their values."""

ENGLISH_SCALES = {"thousand": 3, "million": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12}
_POWERS = {1: "chục", 2: "trăm", 3: "nghìn|ngàn|k", 4: "vạn", 6: "triệu|tr.|tr", 9: "tỷ|tỉ"}
SCALES = dict(ENGLISH_SCALES)
for power, names in _POWERS.items():
    SCALES |= dict.fromkeys(names.split("|"), power)
DIGITS = {"không": 0, "một": 1, "mốt": 1, "hai": 2, "ba": 3, "bốn": 4, "tư": 4, "năm": 5, "lăm": 5, "nhăm": 5}
DIGITS |= {"sáu": 6, "bảy": 7, "bẩy": 7, "tám": 8, "chín": 9, "mười": 10, "nhất": 1, "nhì": 2}
UNITS = {
    "%": "%|phần trăm",
    "percentage_point": "điểm phần trăm|điểm %",
    "USD": "US$|$|USD|đô la Mỹ|đô-la Mỹ|đô la|đô-la|đôla|đô",
    "VND": "VND|VNĐ|đồng|đ|₫",
    "EUR": "EUR|euro|€",
    "CHF": "CHF|franc Thụy Sĩ|franc Thụy Sỹ|franc Thuỵ Sĩ|franc Thuỵ Sỹ",
    "JPY": "JPY|yên|yen|¥",
    "GBP": "GBP|bảng Anh|£",
    "CNY": "CNY|nhân dân tệ|NDT",
    "KRW": "KRW|won",
    "AUD": "AUD|đô la Úc|đô la Australia",
    "CAD": "CAD|đô la Canada",
    "SGD": "SGD|đô la Singapore",
    "THB": "THB|baht",
    "year": "năm",
    "month": "tháng",
    "times": "lần",
}
UNIT_OF: dict[str, str] = {}
for unit, words in UNITS.items():
    UNIT_OF |= dict.fromkeys(words.casefold().split("|"), unit)

MONTHS = {"giêng": 1, "một": 1, "hai": 2, "ba": 3, "tư": 4, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7, "bẩy": 7}
MONTHS |= {"tám": 8, "chín": 9, "mười": 10, "mười một": 11, "mười hai": 12, "chạp": 12}
MONTHS |= {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6}
MONTHS |= {"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}
QUARTERS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "một": 1, "hai": 2, "ba": 3, "tư": 4}
PARTS_OF_YEAR = {
    "nửa đầu": (1, 6),
    "nửa cuối": (7, 12),
    "nửa sau": (7, 12),
    "đầu": (1, 3),
    "giữa": (6, 7),
    "cuối": (12, 12),
}

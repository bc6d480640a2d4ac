"""The code lists of figures and indicators."""

from app.core.values.codelists import Code, CodeList

UNIT = CodeList(
    "unit",
    "The unit of a figure: a currency (ISO 4217), a percentage, a length of time, or the things that are counted. "
    "The number is not scaled: 265.4 billion US dollars are 265400000000 in the unit `USD`.",
    {
        "USD": Code("US dollar", "đô la Mỹ"),
        "VND": Code("Vietnamese dong", "đồng Việt Nam"),
        "EUR": Code("euro", "euro"),
        "CHF": Code("Swiss franc", "franc Thụy Sỹ"),
        "percent": Code("per cent", "phần trăm"),
        "percentage_point": Code("percentage point", "điểm phần trăm"),
        "year": Code("years", "năm"),
        "month": Code("months", "tháng"),
        "ordinal": Code("position in a sequence", "thứ tự"),
        "enterprise": Code("enterprises", "doanh nghiệp"),
        "person": Code("persons", "người"),
        "industrial_park": Code("industrial parks", "khu công nghiệp"),
        "document": Code("documents", "văn bản"),
        "agreement": Code("agreements", "hiệp định"),
        "initiative": Code("initiatives", "sáng kiến"),
        "country": Code("countries", "quốc gia"),
        "organisation": Code("organisations", "tổ chức"),
        "party": Code("parties", "bên"),
        "project": Code("projects", "dự án"),
        "tonne_co2e": Code("tonnes of CO2 equivalent", "tấn CO2 tương đương"),
    },
    source="ISO 4217 for currencies; otherwise Hoptac",
)
DIRECTION = CodeList(
    "direction",
    "Whether a larger or a smaller number of an indicator is better.",
    {
        "up": Code("More is better", "Tăng là tốt"),
        "down": Code("Less is better", "Giảm là tốt"),
        "none": Code("Neither", "Không xét"),
    },
)
FIGURE_KIND = CodeList(
    "figure_kind",
    "What the number is used for. Aggregates never add up numbers of different kinds. "
    "`target`: to be reached by a date. "
    "`plan`: intended for a coming period, often as a step towards a target. "
    "`actual`: a result. "
    "`baseline`: the number before a project started. "
    "`context`: background, which measures no result of a project. "
    "`rank`: a position in an order or the number of an edition, such as the second session. "
    "`duration`: a length of time.",
    {
        "target": Code("Target", "Mục tiêu"),
        "plan": Code("Plan", "Kế hoạch"),
        "actual": Code("Actual", "Thực hiện"),
        "baseline": Code("Baseline", "Mức ban đầu"),
        "context": Code("Context", "Bối cảnh"),
        "rank": Code("Rank or edition", "Thứ hạng, lần thứ"),
        "duration": Code("Duration", "Thời lượng"),
    },
)
QUALIFIER = CodeList(
    "qualifier",
    "How exactly the source states the number. "
    "`about`: the true number can be a little smaller or larger. "
    "`nearly`: the true number is a little smaller. "
    "`more_than` and `less_than`: the stated number itself is excluded. "
    "`at_least` and `at_most`: the stated number itself is included. "
    "`as_many_as`: the number is exact, and the source stresses it. "
    "`one_of`: the number is exact, and the source speaks of one of so many, such as one of 13 initiatives.",
    {
        "exact": Code("exactly", "đúng"),
        "about": Code("about", "khoảng"),
        "nearly": Code("nearly", "gần"),
        "more_than": Code("more than", "hơn"),
        "less_than": Code("less than", "dưới"),
        "at_least": Code("at least", "ít nhất"),
        "at_most": Code("at most", "tối đa"),
        "as_many_as": Code("as many as", "tới"),
        "one_of": Code("one of", "một trong"),
    },
)
MEASURED = CodeList(
    "measured",
    "How a figure relates to its period. "
    "`over_period`: it counts what happened within the period. "
    "`cumulative`: it is the total from the beginning up to the last day of the period. "
    "`at_date`: it is the level on the last day of the period.",
    {
        "over_period": Code("Over the period", "Trong kỳ"),
        "cumulative": Code("Cumulative up to the end of the period", "Lũy kế đến cuối kỳ"),
        "at_date": Code("Level at the date", "Tại thời điểm"),
    },
)
FIGURE_RELATION = CodeList(
    "figure_relation",
    "How a figure relates to another figure. "
    "`part_of`: the other one is a total, and this one is a part of it. "
    "`share_of`: this one is a percentage of the other one. "
    "`change_of`: this one is the change that led to the other one. "
    "`compared_with`: the source compares the two, such as an actual with its target. A share or a change is compared "
    "with the second number that it was computed from. "
    "`same_as`: both state the same fact.",
    {
        "part_of": Code("is a part of the total", "là một phần của tổng"),
        "share_of": Code("is a share of", "là tỷ lệ so với"),
        "change_of": Code("is the change of", "là mức thay đổi của"),
        "compared_with": Code("is compared with", "được so sánh với"),
        "same_as": Code("states the same as", "nêu cùng một sự việc với"),
    },
)

"""The code lists of figures and indicators."""

from app.core.values.codelists import Code, CodeList, codes_of

OTHER_UNIT = "other"

COUNTED = {
    "enterprise": Code("enterprises", "doanh nghiệp"),
    "cooperative": Code("cooperatives", "hợp tác xã"),
    "household": Code("households", "hộ gia đình"),
    "person": Code("persons", "người"),
    "job": Code("jobs", "việc làm"),
    "worker": Code("workers", "lao động"),
    "student": Code("students", "sinh viên, học sinh"),
    "trainee": Code("trainees", "học viên"),
    "expert": Code("experts", "chuyên gia"),
    "person_day": Code("person-days", "ngày công"),
    "school": Code("schools", "trường học"),
    "hospital": Code("hospitals", "bệnh viện"),
    "commune": Code("communes", "xã, phường"),
    "district": Code("districts", "quận, huyện"),
    "province": Code("provinces", "tỉnh, thành phố"),
    "industrial_park": Code("industrial parks", "khu công nghiệp"),
    "document": Code("documents", "văn bản"),
    "agreement": Code("agreements", "hiệp định"),
    "initiative": Code("initiatives", "sáng kiến"),
    "country": Code("countries", "quốc gia"),
    "organisation": Code("organisations", "tổ chức"),
    "party": Code("parties", "bên"),
    "project": Code("projects", "dự án"),
    "product": Code("products", "sản phẩm"),
    "event": Code("events", "sự kiện"),
    "course": Code("courses", "khóa học"),
    "vehicle": Code("vehicles", "phương tiện"),
    "building": Code("buildings", "công trình, tòa nhà"),
    "item": Code("items", "cái, chiếc"),
}
TIME = {
    "year": Code("years", "năm"),
    "month": Code("months", "tháng"),
    "week": Code("weeks", "tuần"),
    "day": Code("days", "ngày"),
    "hour": Code("hours", "giờ"),
    "minute": Code("minutes", "phút"),
    "second": Code("seconds", "giây"),
}
RATIOS = {
    "percent": Code("per cent", "phần trăm"),
    "percentage_point": Code("percentage point", "điểm phần trăm"),
    "per_thousand": Code("per thousand", "phần nghìn"),
    "ratio": Code("ratio", "tỷ số"),
    "point": Code("points of a score or index", "điểm"),
    "ordinal": Code("position in a sequence", "thứ tự"),
}
PHYSICAL = {
    "millimetre": Code("millimetres (mm)", "milimét (mm)"),
    "centimetre": Code("centimetres (cm)", "xentimét (cm)"),
    "metre": Code("metres (m)", "mét (m)"),
    "kilometre": Code("kilometres (km)", "kilômét (km)"),
    "square_metre": Code("square metres (m2)", "mét vuông (m2)"),
    "hectare": Code("hectares (ha)", "héc-ta (ha)"),
    "square_kilometre": Code("square kilometres (km2)", "kilômét vuông (km2)"),
    "litre": Code("litres (l)", "lít (l)"),
    "cubic_metre": Code("cubic metres (m3)", "mét khối (m3)"),
    "cubic_metre_per_day": Code("cubic metres per day (m3/d)", "mét khối mỗi ngày (m3/ngày)"),
    "gram": Code("grams (g)", "gam (g)"),
    "kilogram": Code("kilograms (kg)", "kilôgam (kg)"),
    "quintal": Code("quintals (100 kg)", "tạ (100 kg)"),
    "tonne": Code("tonnes (t)", "tấn (t)"),
    "tonne_per_year": Code("tonnes per year (t/a)", "tấn mỗi năm (t/năm)"),
    "tonne_per_hectare": Code("tonnes per hectare (t/ha)", "tấn trên héc-ta (t/ha)"),
    "kilogram_co2e": Code("kilograms of CO2 equivalent", "kilôgam CO2 tương đương"),
    "tonne_co2e": Code("tonnes of CO2 equivalent", "tấn CO2 tương đương"),
    "joule": Code("joules (J)", "jun (J)"),
    "megajoule": Code("megajoules (MJ)", "megajun (MJ)"),
    "gigajoule": Code("gigajoules (GJ)", "gigajun (GJ)"),
    "terajoule": Code("terajoules (TJ)", "terajun (TJ)"),
    "kilowatt_hour": Code("kilowatt-hours (kWh)", "kilôoát giờ (kWh)"),
    "megawatt_hour": Code("megawatt-hours (MWh)", "megaoát giờ (MWh)"),
    "gigawatt_hour": Code("gigawatt-hours (GWh)", "gigaoát giờ (GWh)"),
    "terawatt_hour": Code("terawatt-hours (TWh)", "teraoát giờ (TWh)"),
    "tonne_oil_equivalent": Code("tonnes of oil equivalent (toe)", "tấn dầu quy đổi (TOE)"),
    "watt": Code("watts (W)", "oát (W)"),
    "kilowatt": Code("kilowatts (kW)", "kilôoát (kW)"),
    "megawatt": Code("megawatts (MW)", "megaoát (MW)"),
    "gigawatt": Code("gigawatts (GW)", "gigaoát (GW)"),
    "megawatt_peak": Code("megawatts peak (MWp)", "megaoát đỉnh (MWp)"),
    "megavolt_ampere": Code("megavolt-amperes (MVA)", "megavôn-ampe (MVA)"),
    "kilovolt": Code("kilovolts (kV)", "kilôvôn (kV)"),
    "degree_celsius": Code("degrees Celsius (°C)", "độ C (°C)"),
    "kelvin": Code("kelvins (K)", "kelvin (K)"),
    "mole": Code("moles (mol)", "mol (mol)"),
    "ampere": Code("amperes (A)", "ampe (A)"),
    "candela": Code("candelas (cd)", "candela (cd)"),
    "kilometre_per_hour": Code("kilometres per hour (km/h)", "kilômét trên giờ (km/h)"),
    "megabit_per_second": Code("megabits per second (Mbit/s)", "megabit trên giây (Mbit/s)"),
}
# Units of which two figures have no sum: a level, a density, a speed.
LEVELS = ("tonne_per_hectare", "degree_celsius", "kelvin", "kilovolt", "kilometre_per_hour", "megabit_per_second")
UNIT = CodeList(
    "unit",
    "The unit of a figure: a currency (ISO 4217), a unit of measurement, a ratio, a length of time, or the things that "
    "are counted. `other`: none of these; the noun is in `unit_text`. "
    "The number is not scaled: 265.4 billion US dollars are 265400000000 in the unit `USD`.",
    {
        **RATIOS,
        **TIME,
        **COUNTED,
        **PHYSICAL,
        OTHER_UNIT: Code("another unit, named in unit_text", "đơn vị khác, nêu ở unit_text"),
        **codes_of("currency"),
    },
    source="ISO 4217 for currencies, with names from Unicode CLDR; BIPM for SI units; otherwise Hoptac",
)
DIRECTION = CodeList(
    "direction",
    "Whether a larger or a smaller number of an indicator is better. `up`: a larger one, such as jobs. `down`: a "
    "smaller one, such as emissions. `none`: neither.",
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
    "`exact`: it states the number without a qualification. "
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

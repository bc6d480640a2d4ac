"""The vocabulary of generated titles: phrases in Vietnamese and English, and names, most of which are rare."""

import itertools
import random
from collections.abc import Sequence

FORMS = [
    ("Dự án", "Project on"), ("Chương trình", "Programme for"), ("Hỗ trợ kỹ thuật", "Technical assistance for"),
    ("Sáng kiến", "Initiative for"), ("Kế hoạch", "Plan for"), ("Khuôn khổ hợp tác về", "Framework for"),
    ("Giai đoạn hai:", "Second phase:"), ("Đề án", "Scheme for"), ("Hợp phần", "Component on"),
]  # fmt: skip
ACTIONS = [
    ("phát triển", "developing"), ("nâng cao năng lực", "strengthening the capacity of"), ("thúc đẩy", "promoting"),
    ("đào tạo chuyên gia về", "training experts in"), ("cải thiện", "improving"), ("mở rộng", "extending"),
    ("chuyển đổi số trong", "the digital transformation of"), ("xây dựng chính sách về", "policies on"),
    ("giảm phát thải trong", "cutting emissions in"), ("kết nối doanh nghiệp trong", "linking enterprises in"),
    ("phục hồi", "restoring"), ("quản lý bền vững", "the sustainable management of"), ("khảo sát", "surveying"),
    ("thí điểm", "piloting"), ("đánh giá", "assessing"), ("tiêu chuẩn hóa", "standardising"),
]  # fmt: skip
TOPICS = [
    ("khu công nghiệp sinh thái", "eco-industrial parks"), ("nhà máy thông minh", "smart factories"),
    ("công nghiệp hỗ trợ", "supporting industries"), ("điện gió ngoài khơi", "offshore wind"),
    ("điện mặt trời mái nhà", "rooftop solar power"), ("tiết kiệm năng lượng", "energy efficiency"),
    ("kinh tế tuần hoàn", "the circular economy"), ("đường sắt đô thị", "urban railways"),
    ("thương mại điện tử", "e-commerce"), ("xúc tiến thương mại", "trade promotion"),
    ("nuôi trồng thủy sản", "aquaculture"), ("chuỗi giá trị lúa gạo", "rice value chains"),
    ("cà phê bền vững", "sustainable coffee"), ("nước sạch nông thôn", "rural water supply"),
    ("đào tạo nghề", "vocational training"), ("y tế cơ sở", "primary health care"),
    ("phòng chống thiên tai", "disaster preparedness"), ("rừng ngập mặn", "mangrove forests"),
    ("bình đẳng giới", "gender equality"), ("hải quan một cửa", "the customs single window"),
    ("sở hữu trí tuệ", "intellectual property"), ("tiêu chuẩn đo lường", "standards and metrology"),
    ("khởi nghiệp sáng tạo", "innovative start-ups"), ("logistics lạnh", "cold-chain logistics"),
    ("dệt may xanh", "green textiles"), ("da giày", "footwear"), ("thép phát thải thấp", "low-emission steel"),
    ("hóa chất an toàn", "chemical safety"), ("quản lý chất thải rắn", "solid waste management"),
    ("thị trường các-bon", "carbon markets"), ("lưới điện thông minh", "smart grids"),
    ("pin và xe điện", "batteries and electric vehicles"), ("bán dẫn", "semiconductors"),
    ("trí tuệ nhân tạo", "artificial intelligence"), ("du lịch cộng đồng", "community tourism"),
    ("bảo tồn di sản", "heritage conservation"), ("giáo dục đại học", "higher education"),
    ("chính phủ số", "digital government"), ("tài chính vi mô", "microfinance"),
    ("an toàn thực phẩm", "food safety"), ("cảng biển xanh", "green seaports"), ("đê điều", "dykes"),
    ("doanh nghiệp nhỏ và vừa", "small and medium enterprises"), ("quản lý lưu vực sông", "river basins"),
]  # fmt: skip
PROVINCES = [
    "An Giang", "Bà Rịa - Vũng Tàu", "Bắc Giang", "Bắc Kạn", "Bạc Liêu", "Bắc Ninh", "Bến Tre", "Bình Định",
    "Bình Dương", "Bình Phước", "Bình Thuận", "Cà Mau", "Cần Thơ", "Cao Bằng", "Đà Nẵng", "Đắk Lắk", "Đắk Nông",
    "Điện Biên", "Đồng Nai", "Đồng Tháp", "Gia Lai", "Hà Giang", "Hà Nam", "Hà Nội", "Hà Tĩnh", "Hải Dương",
    "Hải Phòng", "Hậu Giang", "Hòa Bình", "Hưng Yên", "Khánh Hòa", "Kiên Giang", "Kon Tum", "Lai Châu", "Lâm Đồng",
    "Lạng Sơn", "Lào Cai", "Long An", "Nam Định", "Nghệ An", "Ninh Bình", "Ninh Thuận", "Phú Thọ", "Phú Yên",
    "Quảng Bình", "Quảng Nam", "Quảng Ngãi", "Quảng Ninh", "Quảng Trị", "Sóc Trăng", "Sơn La", "Tây Ninh",
    "Thái Bình", "Thái Nguyên", "Thanh Hóa", "Thành phố Hồ Chí Minh", "Thừa Thiên Huế", "Tiền Giang", "Trà Vinh",
    "Tuyên Quang", "Vĩnh Long", "Vĩnh Phúc", "Yên Bái",
]  # fmt: skip
BODIES = [
    ("government", "Cục {topic}", "Department of {topic}"),
    ("government", "Vụ {topic}", "Directorate for {topic}"),
    ("local_government", "Sở Công Thương {place}", "Department of Industry and Trade of {place}"),
    ("local_government", "Ủy ban nhân dân {place}", "People's Committee of {place}"),
    ("company", "Công ty cổ phần {name}", "{name} Joint Stock Company"),
    ("company", "Tập đoàn {brand}", "{brand} Group"),
    ("academic", "Viện nghiên cứu {topic}", "Institute for {topic}"),
    ("academic", "Trường Đại học {name}", "{name} University"),
    ("ngo", "Quỹ {brand}", "{brand} Foundation"),
    ("international_organisation", "Tổ chức {brand} quốc tế", "International {brand} Organisation"),
]
EVENTS = [
    ("meeting", "Cuộc họp về {topic}", "Meeting on {topic}"),
    ("signing", "Lễ ký kết hợp tác về {topic}", "Signing on {topic}"),
    ("launch", "Lễ khởi động tại {place}", "Launch in {place}"),
    ("training", "Khóa đào tạo về {topic}", "Training course on {topic}"),
    ("completion", "Tổng kết tại {place}", "Closing event in {place}"),
]


def _words(text: str) -> list[str]:
    return text.split()


_ONSETS = _words("b c ch d đ g gi h kh l m n ng nh ph qu r s t th tr v x")
_RIMES = _words(
    "a à á ạ an án ang áng anh ánh ao áo ăn ắng âm ấm ân ấn ậu e è én en ê ế ên ến iên iến iêu iều inh ình o ó oa oà "
    "oan ong óng ô ố ôi ội ông ống ơ ờ ơn u ú ung ùng uân uấn uyên uyến ư ứ ương ường ưu ước"
)
_STEMS = _words("vina meko son tan kim hoa delta tech agri lumi eco tera nova pro saga viet lotus ocean bio zen")
_ENDINGS = _words("rex tex pharm foods lab soft gen mar link tra com ta lis vis dor nix pac san ko vo")


class Zipf:
    """A list from which the n-th item is picked about n times less often than the first."""

    def __init__(self, items: Sequence[str]) -> None:
        self.items = items
        self._weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(items))))

    def pick(self, rng: random.Random) -> str:
        return rng.choices(self.items, cum_weights=self._weights)[0]


def names(rng: random.Random, count: int) -> list[str]:
    """Return distinct Vietnamese names of two syllables, such as «Khánh Trường»."""
    syllables = [onset + rime for onset, rime in itertools.product(_ONSETS, _RIMES)]
    chosen: dict[str, None] = {}
    while len(chosen) < count:
        chosen[f"{rng.choice(syllables).capitalize()} {rng.choice(syllables).capitalize()}"] = None
    return list(chosen)


def brands(rng: random.Random, count: int) -> list[str]:
    """Return distinct invented words of one token, such as «Vinarexko»: the rare words of the data."""
    chosen: dict[str, None] = {}
    while len(chosen) < count:
        parts = [rng.choice(_STEMS), rng.choice(_ENDINGS), *rng.choices(_ENDINGS, k=rng.randrange(3))]
        chosen["".join(parts).capitalize()] = None
    return list(chosen)

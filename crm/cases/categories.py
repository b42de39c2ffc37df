"""What cases are about, with the deadline of each kind."""

from __future__ import annotations

from dataclasses import dataclass

from crm.cases.deadlines import DANGER, FIELD, GENERAL, RELIEF, URGENT, Deadline
from crm.errors import HotlineError


class CategoryError(HotlineError):
    """There is no such category; one sentence that names those there are."""


@dataclass(frozen=True)
class Category:
    """One kind of case. Whom it goes to stands in crm.cases.routing."""

    id: str
    vi: str
    en: str
    deadline: Deadline
    private: bool = False  # health, violence, officials: the words are sealed (crm.cases.words)


CATEGORIES = (
    Category("danger", "Nguy hiểm đến tính mạng", "Danger to life", DANGER),
    Category("food", "Lương thực, nhu yếu phẩm", "Food and necessities", RELIEF),
    Category("shelter", "Chỗ ở, đi lại khi có dịch, thiên tai", "Shelter in an emergency", RELIEF),
    Category("epidemic", "Ca nghi mắc, ổ dịch", "Suspected infection", URGENT, private=True),
    Category("disaster", "Thiên tai, sự cố", "Disaster", URGENT),
    Category("testing", "Xét nghiệm", "Testing", FIELD),
    Category("vaccine", "Tiêm chủng", "Vaccination", FIELD),
    Category("vaccine_record", "Sai dữ liệu tiêm chủng", "Wrong vaccination record", FIELD,
             private=True),
    Category("care", "Khám bệnh, chữa bệnh", "Medical care", FIELD, private=True),
    Category("utilities", "Điện, nước sinh hoạt", "Power and water", FIELD),
    Category("roads", "Đường sá, giao thông", "Roads and transport", FIELD),
    Category("environment", "Môi trường, vệ sinh", "Environment and hygiene", FIELD),
    Category("order", "An ninh trật tự", "Public order", FIELD, private=True),
    Category("prices", "Giá cả, hàng giả, gian lận", "Prices and fraud", FIELD),
    Category("fake_news", "Tin giả, tin sai sự thật", "Fake news", FIELD),
    Category("benefits", "Chế độ, trợ cấp", "Benefits", GENERAL),
    Category("officials", "Tác phong cán bộ", "Conduct of officials", GENERAL, private=True),
    Category("education", "Giáo dục", "Education", GENERAL),
    Category("other", "Khác", "Other", GENERAL),
)
_BY_ID = {category.id: category for category in CATEGORIES}


def category_named(id_: str) -> Category:
    """Raises CategoryError."""
    if id_ not in _BY_ID:
        raise CategoryError(f"there is no category {id_}; there are {', '.join(_BY_ID)}")
    return _BY_ID[id_]

"""Cases as GeoReport v2 sees them: services, the eleven statuses as open or closed, and what of a
request everybody may read.

Nothing of whoever reported is in it; which cases are not in the register stands in
crm.open311.register. What was written is shown once an agency has it: until then nobody here has
read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.areas import Area
from crm.cases.categories import CATEGORIES, Category
from crm.cases.disguise import without_personal
from crm.cases.models import Status
from crm.clock import VIETNAM
from crm.open311.models import Open311Request

OPEN, CLOSED = "open", "closed"
# danger to life is for 115, 114, 113, 112; conduct of officials for a person who guides
SERVICES: Mapping[str, Category] = {
    one.id: one for one in CATEGORIES if one.id not in ("danger", "officials")
}


@dataclass(frozen=True)
class Told:
    """A status as GeoReport has it, and in words."""

    state: str
    vi: str


STATUSES: Mapping[Status, Told] = {
    Status.NEW: Told(OPEN, "Đã tiếp nhận, đang chờ phân loại."),
    Status.CLASSIFIED: Told(OPEN, "Đã tiếp nhận, đang chờ chuyển cơ quan xử lý."),
    Status.ASSIGNED: Told(OPEN, "Đã chuyển cơ quan xử lý."),
    Status.IN_PROGRESS: Told(OPEN, "Đang được xử lý."),
    Status.NEED_INFO: Told(OPEN, "Cần người phản ánh bổ sung thông tin."),
    Status.EXTENDED: Told(OPEN, "Đang được xử lý, thời hạn đã được gia hạn."),
    Status.REOPENED: Told(OPEN, "Được mở lại, đang chờ xử lý tiếp."),
    Status.RESOLVED: Told(CLOSED, "Đã xử lý xong và có trả lời."),
    Status.CLOSED: Told(CLOSED, "Đã kết thúc."),
    Status.REJECTED: Told(CLOSED, "Không thuộc phạm vi tiếp nhận."),
    Status.DUPLICATE: Told(CLOSED, "Trùng với phản ánh đã có."),
}


def local(at: datetime) -> str:
    """ISO 8601 with the zone of Vietnam, in whole seconds."""
    return at.astimezone(VIETNAM).isoformat(timespec="seconds")


def service(one: Category) -> dict[str, Any]:
    return {
        "service_code": one.id, "service_name": one.vi, "description": one.en, "metadata": "true",
        "type": "realtime", "keywords": one.id.replace("_", ","), "group": "1022",
    }


def definition(one: Category, areas: Mapping[str, Area]) -> dict[str, Any]:
    """What can be told of a request of this kind: in which commune or ward it is."""
    return {
        "service_code": one.id,
        "attributes": [{
            "variable": "true", "code": "area", "datatype": "singlevaluelist", "required": "false",
            "datatype_description": "", "order": "1", "description": "Xã, phường",
            "values": [{"key": area.code, "name": area.name} for area in areas.values()],
        }],
    }


def request(
    found: Open311Request, updated_at: datetime, areas: Mapping[str, Area]
) -> dict[str, Any]:
    """A request of the register; what is not known is empty."""
    case = found.case
    status = Status(case.status)
    told = STATUSES[status]
    seen = case.assigned_at is not None and status is not Status.REJECTED
    area = areas.get(case.area or "")
    return {
        "service_request_id": found.number, "status": told.state,
        # of an answer only what was made for everybody
        "status_notes": (case.public_text if told.state == CLOSED else None) or told.vi,
        "service_name": SERVICES[case.category or ""].vi, "service_code": case.category,
        "description": without_personal(case.summary) if seen and not case.sealed else None,
        "agency_responsible": case.agency.name if case.agency else None, "service_notice": None,
        "requested_datetime": local(case.opened_at), "updated_datetime": local(updated_at),
        "expected_datetime": local(case.due_at),
        "address": area.name if area else None, "address_id": case.area, "zipcode": None,
        "lat": found.lat, "long": found.long, "media_url": None,
    }

"""What notices say, on each channel."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.notices import sms, texts
from crm.notices.models import Channel
from crm.notices.texts import Kind, Text, TextError, rendered

DUE = datetime(2026, 11, 17, 16, 59, tzinfo=UTC)  # 23:59 in Vietnam
LONGEST_OUTSIDE = "https://1022-tong-dai.thanhhoa.gov.vn:28022"
CODE = "48302916"
LONGEST: dict[Kind, texts.Value] = {
    Kind.CODE: CODE, Kind.DAY: texts.ByTheHour(DUE), Kind.DIGITS: "12345678", Kind.NUMBER: 99,
    Kind.NAME: "Ban Quản lý Khu kinh tế Nghi Sơn và các khu công nghiệp tỉnh Thanh Hóa",
    Kind.URL: LONGEST_OUTSIDE + "/o/" + "x" * 22, Kind.TEXT: "Trạm y tế 02371022.",
}


def filled(name: str) -> dict[str, texts.Value]:
    values = {key: LONGEST[texts._VARIABLES[key]] for key in texts.TEMPLATES[name].variables}
    return values | {"url": "https://1022.thanhhoa.gov.vn/vt/AbCdEf23"} if name == "location" else (
        values
    )


def test_a_case_that_was_received() -> None:
    values: dict[str, texts.Value] = {"case_code": CODE, "due_date": DUE}
    assert rendered("case_received", Channel.SMS, values).body == (
        "1022 Thanh Hoa: Da tiep nhan phan anh ma 48302916. Han tra loi 17/11/2026. Tra cuu: goi "
        "02371022 phim 7."
    )
    mail = rendered("case_received", Channel.EMAIL, values)
    assert mail.subject == "Đã tiếp nhận phản ánh 48302916"
    assert "Hạn trả lời: 17/11/2026" in mail.body


@pytest.mark.parametrize("name", texts.TEMPLATES)
def test_every_text_fits_one_sms_and_has_accents_elsewhere(name: str) -> None:
    body = rendered(name, Channel.SMS, filled(name)).body
    assert sms.size(body).coding == "gsm"
    assert sms.size(body).units <= 160
    full = rendered(name, Channel.EMAIL, filled(name))
    assert sms.plain(full.body) != full.body
    assert not re.search(r"[{}]", body + full.body + full.subject)


@pytest.mark.parametrize("name", texts.TEMPLATES)
def test_no_text_tells_of_results_or_reasons(name: str) -> None:
    template = texts.TEMPLATES[name]
    told = sms.plain(template.sms + template.full + template.subject).lower()
    for word in ("duong tinh", "am tinh", "f0", "cach ly", "xet nghiem", "mac benh", "tiep xuc",
                 "tiem"):
        assert word not in told


def test_a_long_name_is_cut_and_the_rest_stays() -> None:
    body = rendered("officer_new", Channel.SMS, {
        "case_code": CODE, "due_date": date(2026, 11, 17),
        "agency": "Ban Quản lý Khu kinh tế Nghi Sơn và các khu công nghiệp tỉnh Thanh Hóa",
    }).body
    assert len(body) <= 160
    assert body.startswith("1022 Thanh Hoa: Phan anh 48302916 da giao Ban Quan ly Khu kinh te")
    assert body.endswith("Xin dang nhap he thong dieu phoi de xu ly.")


@pytest.mark.parametrize(("name", "values"), [
    ("nothing", {}),
    ("case_received", {"case_code": CODE}),
    ("case_received", {"case_code": CODE, "due_date": DUE, "summary": "F0"}),
    ("case_received", {"case_code": "48302917", "due_date": DUE}),  # its check digit is wrong
    ("case_received", {"case_code": CODE, "due_date": "mai"}),
    ("one_time_code", {"otp": "12 34", "minutes": 5}),
    ("location", {"url": "javascript:alert(1)"}),
    ("contact_points", {"body": "x" * 150}),
    ("duty_reminder", {"date": DUE, "place": "a\nb"}),
])
def test_what_does_not_fit_is_refused(name: str, values: dict[str, texts.Value]) -> None:
    with pytest.raises(TextError):
        rendered(name, Channel.SMS, values)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1,
               max_size=160))
def test_whatever_an_agency_is_called_the_sms_fits_or_is_refused(agency: str) -> None:
    try:
        text = rendered("case_assigned", Channel.SMS, {"case_code": CODE, "agency": agency})
    except TextError:
        assert len(agency) > 90 or not sms.is_gsm(sms.plain(agency))
        return
    assert isinstance(text, Text)
    assert sms.size(text.body).units <= 160

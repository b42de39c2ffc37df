"""What callers hear of a case: whole sentences of sounds that are there."""

from datetime import timedelta
from pathlib import Path

import pytest

from crm.cases.models import Agency, Case, Status
from prompts.catalogue import Catalogue
from prompts.phrases import Phrases
from prompts.said import Said
from tests.crm.cases.factory import NOW

CATALOGUE = Catalogue.load()


class Silent(Said):
    """Nothing has been made; or, with `made`, everything."""

    def __init__(self, made: bool = False) -> None:
        super().__init__(Path("/nowhere"), Path("/nowhere"))
        self._made = made

    def sound_of(self, text: str) -> str | None:
        return "said/" + text.replace(" ", "_") if self._made else None


def phrases(made: bool = False) -> Phrases:
    return Phrases(CATALOGUE, Silent(made))


def case(status: Status = Status.NEW, **told: object) -> Case:
    return Case(**{
        "code": "12345670", "status": status, "identity": "shown", "sensitive": False,
        "channel": "hand", "summary": "-", "opened_at": NOW, "due_at": NOW + timedelta(days=5),
        "resolved_at": NOW, "assigned_at": NOW,
        "agency": Agency(code="SYT", name="Sở Y tế", kind="department", level="province"),
    } | told)


def words(files: tuple[str, ...]) -> str:
    """What the files say, as text."""
    return " ".join(
        file if file.startswith("said/") else CATALOGUE.files()[file].text for file in files
    )


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_told_by_sounds_of_the_catalogue(status: Status) -> None:
    told = words(phrases().case_status(case(status), 1, 1, NOW))
    without_day = {Status.CLOSED, Status.REJECTED, Status.DUPLICATE}
    assert ("tháng ba" in told) == (status not in without_day)
    keys, named = phrases().case_keys(case(status), is_last=True)
    assert len(named) == len(keys) + 1
    assert words(named)


def test_status_agency_deadline_and_days_left() -> None:
    in_progress = case(Status.IN_PROGRESS)
    assert words(phrases(made=True).case_status(in_progress, 1, 1, NOW)) == (
        "said/Sở_Y_tế đang xử lý phản ánh. Hạn trả lời là ngày mười lăm tháng ba "
        "Còn năm ngày đến hạn trả lời."
    )
    general = words(phrases().case_status(in_progress, 1, 1, NOW))
    assert general.startswith("Cơ quan xử lý đang xử lý phản ánh.")
    today = words(phrases().case_status(case(due_at=NOW + timedelta(hours=2)), 1, 1, NOW))
    assert today.endswith("Hôm nay là hạn trả lời.")
    late = words(phrases().case_status(case(due_at=NOW - timedelta(hours=2)), 1, 1, NOW))
    assert late.endswith("Phản ánh đã quá hạn. Tổng đài đã nhắc cơ quan xử lý.")
    next_year = words(phrases().case_status(case(due_at=NOW + timedelta(days=400)), 1, 1, NOW))
    assert "năm hai nghìn không trăm hai mươi bảy" in next_year


def test_the_day_is_vietnams() -> None:
    night = NOW.replace(hour=18)  # already the 11th there
    assert "ngày mười một tháng ba" in words(
        phrases().case_status(case(due_at=night), 1, 1, NOW)
    )


def test_of_several_cases_each_says_which_it_is() -> None:
    for number, said in ((1, "thứ nhất"), (2, "thứ hai"), (4, "thứ tư")):
        told = words(phrases().case_status(case(), number, 5, NOW))
        assert f"Phản ánh {said} trong tổng số năm" in told


@pytest.mark.parametrize(("status", "last", "keys"), [
    (Status.NEW, True, "5"), (Status.ASSIGNED, False, "25"), (Status.RESOLVED, True, "13"),
    (Status.CLOSED, False, "123"), (Status.REOPENED, True, "5"),
])
def test_only_keys_that_mean_something_are_named(status: Status, last: bool, keys: str) -> None:
    one = case(status, answer="Đã xong.")
    assert phrases(made=True).case_keys(one, is_last=last)[0] == keys
    assert "1" not in phrases(made=False).case_keys(one, is_last=last)[0]  # no sound yet


def test_a_whole_code_that_fits_nothing_is_said_back() -> None:
    assert words(phrases().code_unknown("12345678")).startswith("Mã quý vị vừa bấm là một hai ba")
    assert phrases().code_unknown("1234") == ("lookup_not_found",)
    assert words(phrases().case_count(21)).startswith("Số điện thoại này có hai mươi mốt phản ánh")


def test_a_case_that_waits_for_its_citizen_offers_to_hear_the_question_and_to_add() -> None:
    waits = case(Status.NEED_INFO)
    keys, named = phrases(made=True).case_keys(waits, is_last=True, question="Ở km mấy?")
    assert keys == "15"
    assert words(named).startswith("Nghe cơ quan xử lý hỏi gì, bấm phím một. Bổ sung thông tin")
    assert phrases(made=True).told(waits, "Ở km mấy?") == "said/Ở_km_mấy?"
    keys, _ = phrases().case_keys(waits, is_last=True, question="Ở km mấy?")
    assert keys == "5"  # its sound is not there yet: nothing that nobody can hear is announced

"""Numbers in Asterisk's own logs are masked in their place, whatever is written meanwhile."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from scripts.asterisk_logs import FOLDER, AsteriskLogs
from scripts.logs import PHONE

LINES = st.sampled_from((
    "WARNING[1] res_pjsip.c: 'sip:+84912345678@198.18.0.2' has no endpoint",
    "1764230000|th1-1764230000.12|operator|NONE|ENTERQUEUE||0912345678|1",
    'SECURITY[7]: SecurityEvent="InvalidPassword",AccountID="0084912345678"',
    "NOTICE[2] pbx.c: hết chỗ", "th1.t5k3zq-1763845445.12 ends", "",
))


def logs(home: Path) -> Path:
    folder = home / FOLDER
    folder.mkdir(parents=True)
    return folder / "messages.log"


@given(st.lists(LINES, max_size=8), st.lists(st.integers(0, 600), max_size=5))
def test_in_whatever_pieces_it_is_written_no_number_stays_and_nothing_else_changes(
    lines: list[str], cuts: list[int]
) -> None:
    with TemporaryDirectory() as home:
        file, masking = logs(Path(home)), AsteriskLogs(Path(home))
        text = "".join(f"{line}\n" for line in lines).encode()
        places = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
        masked = 0
        with file.open("ab", buffering=0) as asterisk:
            for start, end in pairwise(places):
                asterisk.write(text[start:end])
                masked += masking.mask()
        after = file.read_bytes() if text else b""
        assert masked == sum(len(PHONE.findall(line)) for line in lines)
        assert not PHONE.search(after.decode())
        assert after == (
            text.replace(b"+84912345678", b"+84xxxxxx678").replace(b"0912345678", b"0xxxxxx678")
            .replace(b"0084912345678", b"0084xxxxxx678")
        )


def test_a_log_that_is_emptied_or_renamed_is_read_on(tmp_path: Path) -> None:
    file, masking = logs(tmp_path), AsteriskLogs(tmp_path)
    file.write_text("0912345678 calls, and calls again\n")
    assert masking.mask() == 1
    (file.parent / "messages.log.1").write_bytes(file.read_bytes())  # as copytruncate does
    file.write_text("0912345679\n")
    assert masking.mask() == 1
    file.rename(file.with_suffix(".log.2"))
    file.write_text("0912345670 \n0912345671")
    assert masking.mask() == 1  # the last line is not whole
    file.write_text("0912345670 \n0912345671\n")
    assert AsteriskLogs(tmp_path).mask() == 2
    assert "".join(sorted(one.read_text() for one in file.parent.iterdir())) == (
        "0xxxxxx670 \n0xxxxxx671\n0xxxxxx678 calls, and calls again\n0xxxxxx679\n"
    )

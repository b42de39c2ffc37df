"""Files of cases: what may be taken in, how it is kept, and who may see it.

A file is data and nothing else: it is judged by its content, kept under the hash of it in
`home/attachments`, never run and never shown inside a page. Its content is on the disk for good
before its row is written; what no row names is deleted after a day. Pictures are written anew, so
that the place, the time and the camera that are noted in them do not go on with them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tempfile
import threading
import unicodedata
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import puremagic
from PIL import Image, ImageOps
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.cases import life
from crm.cases.models import Case, Identity
from crm.errors import HotlineError
from crm.intake.models import Attachment
from crm.kept import folder as kept_folder

LARGEST = 10 * 1024 * 1024  # bytes of a file
AT_ONCE = 5  # files that are added together
MOST = 20  # files of a case
LONGEST_NAME = 120
STRAYS_KEPT = timedelta(days=1)  # a form with a fault is sent again within this time
RESERVE = 1024 ** 3  # bytes of the disk that are kept for calls, their records and messages
_PIXELS = 60_000_000  # of a picture
_UNPACKING = threading.Lock()  # a large picture takes 180 MB: one at a time
_UNPACKED = 100 * 1024 * 1024  # bytes of all that a document holds
_RATIO = 200  # unpacked to packed; documents of words have about 10
_PARTS = 2000  # of a document
_LOOKED_UP = 500  # hashes in one question to the database
_HASH = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """What is taken in."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    MP3 = "mp3"
    WAV = "wav"
    M4A = "m4a"
    MP4 = "mp4"


EXTENSIONS: Mapping[str, Kind] = {
    ".jpg": Kind.JPEG, ".jpeg": Kind.JPEG, ".png": Kind.PNG, ".webp": Kind.WEBP, ".pdf": Kind.PDF,
    ".docx": Kind.DOCX, ".xlsx": Kind.XLSX, ".mp3": Kind.MP3, ".wav": Kind.WAV, ".m4a": Kind.M4A,
    ".mp4": Kind.MP4,
}
PICTURES = {Kind.JPEG: "JPEG", Kind.PNG: "PNG", Kind.WEBP: "WEBP"}
_DOCUMENTS = {Kind.DOCX: "word/document.xml", Kind.XLSX: "xl/workbook.xml"}
_SNIFFED = {".mpga": Kind.MP3, **EXTENSIONS}


class Giver(StrEnum):
    """Whose file it is."""

    CITIZEN = "citizen"
    DESK = "desk"  # an agent or supervisor
    OFFICER = "officer"  # of the agency that has the case


class AttachmentError(HotlineError):
    """A file is not taken in; one sentence. `code`: empty, large, kind, differs, broken, bomb,
    macros, many, full, gone. `name`: of the file."""

    def __init__(self, sentence: str, code: str, name: str) -> None:
        super().__init__(sentence)
        self.code, self.name = code, name


@dataclass(frozen=True)
class Kept:
    """A file that is on the disk and has no row yet. The hashes are SHA-256 in hex: of what is
    kept, and of what came."""

    name: str
    kind: Kind
    size: int
    sha256: str
    received_sha256: str


def take(home: Path, name: str, content: bytes) -> Kept:
    """Judge a file, clean it and keep its content for good. Raises AttachmentError."""
    name = shown_name(name)
    kind = _judged(name, content)
    clean = _picture(name, kind, content) if kind in PICTURES else content
    digest = hashlib.sha256(clean).hexdigest()
    if shutil.disk_usage(home).free < RESERVE:
        raise AttachmentError("the disk is nearly full: no files are taken", "full", name)
    _write(path_of(home, digest), clean)
    return Kept(name, kind, len(clean), digest, hashlib.sha256(content).hexdigest())


def add(
    session: Session, case: Case, kept: Kept, *, giver: Giver, by: str, now: datetime,
    confirmed: bool = True,
) -> Attachment:
    """Let a kept file be one of a case's; what the case has already stays one. What comes with a
    case whose identity is hidden is not for the agency until the desk releases it: it may show who
    the citizen is. Nor is what is not `confirmed` to be the citizen's. Raises AttachmentError."""
    if (known := _known(session, case, kept)) is not None:
        return known
    count = session.scalar(select(func.count(Attachment.id)).where(Attachment.case_id == case.id))
    if (count or 0) >= MOST:
        raise AttachmentError(f"a case has {MOST} files at most", "many", kept.name)
    made = Attachment(
        case_id=case.id, name=kept.name, kind=kept.kind, size=kept.size, sha256=kept.sha256,
        received_sha256=kept.received_sha256, at=now, by=by, giver=giver,
        for_agency=confirmed and (giver is Giver.OFFICER or case.identity == Identity.SHOWN),
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        if (known := _known(session, case, kept)) is None:
            raise
        return known  # another request has added it meanwhile
    life.note(
        session, case, by, now, "attached", text=made.name,
        details={"attachment": made.id, "sha256": made.received_sha256},
    )
    return made


def release(session: Session, attachment: Attachment, *, by: str, now: datetime) -> None:
    """The desk has looked at a file and lets the agency see it."""
    if not attachment.for_agency:
        attachment.for_agency = True
        life.note(
            session, attachment.case, by, now, "released", text=attachment.name,
            details={"attachment": attachment.id},
        )


def of_case(session: Session, case: Case, *, for_agency: bool = False) -> list[Attachment]:
    """All files of a case, the oldest first; `for_agency`: those that its agency may see."""
    found = select(Attachment).where(Attachment.case_id == case.id)
    if for_agency:
        found = found.where(Attachment.for_agency.is_(True))
    return list(session.scalars(found.order_by(Attachment.id)))


def one_of(
    session: Session, case: Case, id_: int, *, for_agency: bool = False
) -> Attachment | None:
    """A file of this case, by its number."""
    found = session.get(Attachment, id_)
    if found is None or found.case_id != case.id or (for_agency and not found.for_agency):
        return None
    return found


def read(home: Path, attachment: Attachment) -> bytes:
    """The content as it was kept. Raises AttachmentError: it is gone, or is another."""
    try:
        content = path_of(home, attachment.sha256).read_bytes()
    except OSError as error:
        raise AttachmentError(
            f"the content of file {attachment.id} is gone", "gone", attachment.name
        ) from error
    if hashlib.sha256(content).hexdigest() != attachment.sha256:
        raise AttachmentError(
            f"the content of file {attachment.id} was changed", "gone", attachment.name
        )
    return content


def lost(home: Path, session: Session) -> int:
    """How many files of cases have no content any more: nobody has brought it back with the
    database, say."""
    hashes = session.scalars(select(Attachment.sha256).distinct().execution_options(yield_per=1000))
    return sum(not path_of(home, one).exists() for one in hashes)


def path_of(home: Path, sha256: str) -> Path:
    """Where content is kept. Raises ValueError for what is no hash."""
    if not _HASH.fullmatch(sha256):
        raise ValueError("no SHA-256 in hex")
    return kept_folder(home, "attachments") / sha256[:2] / sha256


def forget_strays(
    home: Path, session: Session, now: datetime, kept: timedelta = STRAYS_KEPT
) -> int:
    """Delete what no row names for so long, and what a crash left half written; how many."""
    before = (now - kept).timestamp()
    files = kept_folder(home, "attachments").glob("??/*")
    old = [file for file in files if file.stat().st_mtime < before]
    gone = 0
    for first in range(0, len(old), _LOOKED_UP):
        some = old[first:first + _LOOKED_UP]
        named = set(session.scalars(
            select(Attachment.sha256).where(Attachment.sha256.in_([file.name for file in some]))
        ))
        for file in some:
            # the second look: nobody has wanted it again meanwhile
            if file.name not in named and file.stat().st_mtime < before:
                file.unlink()
                gone += 1
    return gone


def ending_of(content: bytes) -> str:
    """How the name of a file would end that came without one; empty: nothing that is taken in."""
    kinds = _sniffed(content)
    return next((ending for ending, kind in EXTENSIONS.items() if kind in kinds), "")


def shown_name(name: str) -> str:
    """A name as it is kept: one line without folders and signs that turn text around, with its
    ending."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    name = "".join(
        one for one in name if unicodedata.category(one)[0] != "C" and one not in '"<>:|?*'
    ).strip(". ")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        return name[:LONGEST_NAME] or "file"
    return f"{stem[:LONGEST_NAME - len(ending) - 1]}.{ending}"[:LONGEST_NAME]


def _judged(name: str, content: bytes) -> Kind:
    if not content:
        raise AttachmentError(f"{name} is empty", "empty", name)
    if len(content) > LARGEST:
        raise AttachmentError(f"{name} is larger than {LARGEST // 1024 ** 2} MB", "large", name)
    named = EXTENSIONS.get(Path(name).suffix.lower())
    sniffed = _sniffed(content)
    if named is None or not sniffed:
        raise AttachmentError(
            f"{name}: only pictures, PDF, DOCX, XLSX, MP3, WAV, M4A and MP4 are taken", "kind", name
        )
    if named not in sniffed:
        raise AttachmentError(f"{name} is not what its name says", "differs", name)
    if named in _DOCUMENTS:
        _document(name, named, content)
    return named


def _sniffed(content: bytes) -> set[Kind]:
    """What content may be, by how it begins."""
    try:
        endings = [one.extension.lower() for one in puremagic.magic_string(content)]
    except (puremagic.PureError, ValueError):
        return set()
    return {_SNIFFED[one] for one in endings if one in _SNIFFED}


def _document(name: str, kind: Kind, content: bytes) -> None:
    """A document that holds no program, and no more than its size lets one expect."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            entries = parts.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise AttachmentError(f"{name} cannot be read", "broken", name) from error
    unpacked = sum(one.file_size for one in entries)
    if len(entries) > _PARTS or unpacked > _UNPACKED or any(
        one.file_size > _RATIO * max(one.compress_size, 1024) for one in entries
    ):
        raise AttachmentError(f"{name} holds far more than its size says", "bomb", name)
    names = {one.filename for one in entries}
    if not {"[Content_Types].xml", _DOCUMENTS[kind]} <= names:
        raise AttachmentError(f"{name} is not what its name says", "differs", name)
    programs = ("vbaproject.bin", "/embeddings/", "/activex/", "/macrosheets/")
    if any(part in one.lower() for one in names for part in programs):
        raise AttachmentError(f"{name} holds programs or other files", "macros", name)


def _picture(name: str, kind: Kind, content: bytes) -> bytes:
    """The picture alone, turned as it is looked at: nothing that was written beside it."""
    out = io.BytesIO()
    try:
        with _UNPACKING, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=[PICTURES[kind]]) as picture:
                if picture.width * picture.height > _PIXELS:
                    raise AttachmentError(f"{name} has too many pixels", "bomb", name)
                ImageOps.exif_transpose(picture, in_place=True)
                picture.info = {
                    key: told for key, told in picture.info.items() if key == "transparency"
                }
                how = {} if kind is Kind.PNG else {"quality": 90}
                picture.save(out, PICTURES[kind], **how)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise AttachmentError(f"{name} has too many pixels", "bomb", name) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise AttachmentError(f"{name} cannot be read", "broken", name) from error
    return out.getvalue()


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing, and there after the power failed."""
    if file.exists() and file.stat().st_size == len(content):
        file.touch()  # a stray that is wanted again is a new one
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix="draft-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _known(session: Session, case: Case, kept: Kept) -> Attachment | None:
    return session.scalar(select(Attachment).where(
        Attachment.case_id == case.id, Attachment.received_sha256 == kept.received_sha256
    ))

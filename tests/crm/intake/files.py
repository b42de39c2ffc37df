"""Files as citizens send them, good ones and bad ones."""

from __future__ import annotations

import io
import wave
import zipfile

from fpdf import FPDF
from openpyxl import Workbook
from PIL import Image

TYPES = "[Content_Types].xml"


def picture(form: str = "JPEG", size: tuple[int, int] = (40, 30), *, gps: bool = False) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if gps:
        exif[0x010F] = "Camera of Nguyen Van A"
        exif[0x0112] = 6  # to be turned by a quarter
        exif.get_ifd(0x8825).update({1: "N", 2: (19.0, 48.0, 0.0), 3: "E", 4: (105.0, 46.0, 0.0)})
    Image.new("RGB", size, (200, 30, 30)).save(out, form, exif=exif)
    return out.getvalue()


def pdf() -> bytes:
    paper = FPDF()
    paper.add_page()
    return bytes(paper.output())


def workbook() -> bytes:
    out = io.BytesIO()
    Workbook().save(out)
    return out.getvalue()


def document(**more: bytes) -> bytes:
    """A DOCX file with the parts it must have, and `more`: underscores stand for slashes."""
    return zipped({TYPES: b"<Types/>", "word/document.xml": b"<document/>"} | {
        name.replace("_", "/"): content for name, content in more.items()
    })


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def bomb() -> bytes:
    return document(word_media=b"\0" * 30_000_000)


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(b"\0" * 16_000)
    return out.getvalue()


PROGRAM = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + b"\0" * 300

"""GeoReport documents: the same data as JSON and as XML, in both directions."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from crm.errors import HotlineError

JSON, XML = "json", "xml"
FORMS = (JSON, XML)
# what the elements of a list are called
_ITEMS = {
    "services": "service", "service_requests": "request", "errors": "error",
    "attributes": "attribute", "values": "value", "endpoints": "endpoint", "formats": "format",
}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class DocumentError(HotlineError):
    """This is no GeoReport document."""


def write(root: str, data: Any, form: str) -> bytes:
    """A document; `root` is the name of the outermost element of the XML."""
    if form == JSON:
        return json.dumps(data, ensure_ascii=False).encode()
    return bytes(ET.tostring(_element(root, data), encoding="utf-8", xml_declaration=True))


def read(text: bytes, form: str) -> Any:
    """The data of a document. Values of XML are texts, empty ones None. Raises DocumentError."""
    try:
        return json.loads(text) if form == JSON else _data(fromstring(text, forbid_dtd=True))
    except (ValueError, ParseError, DefusedXmlException, RecursionError) as error:
        raise DocumentError(f"this is no {form} of GeoReport: {error}") from error


def _element(name: str, data: Any) -> ET.Element:
    element = ET.Element(name)
    if isinstance(data, dict):
        element.extend(_element(key, value) for key, value in data.items())
    elif isinstance(data, list):
        element.extend(_element(_ITEMS[name], value) for value in data)
    elif data is not None:
        element.text = _ILLEGAL.sub("", str(data))
    return element


def _data(element: ET.Element) -> Any:
    if element.tag in _ITEMS:
        return [_data(child) for child in element]
    if len(element):
        return {child.tag: _data(child) for child in element}
    return (element.text or "").strip() or None

"""The page from which a citizen calls the hotline by browser, also within a page of the province.

Whoever opens it may ask for a token for one call; how many calls there are at once is counted by
Asterisk.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, make_response, render_template, request
from werkzeug.exceptions import Forbidden, NotFound

from agent_console.door import Answer, citizens_socket, console, public, utc_now
from crm.intake import web_calls

blueprint = Blueprint("call", __name__, url_prefix="/call")


@blueprint.get("")
@public
def page() -> Answer:
    """The page; `inside`: without what stands around it, for another site."""
    _must_be_open()
    settings = console().settings
    inside = request.args.get("inside") == "1"
    answer = make_response(render_template("public/call.html", inside=inside))
    around = " ".join(settings.web_call_origins) or "'none'"
    socket = urlsplit(citizens_socket())
    answer.headers["Content-Security-Policy"] = "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "media-src 'self' blob:", f"connect-src 'self' {socket.scheme}://{socket.netloc}",
        "form-action 'self'", "base-uri 'none'", f"frame-ancestors {around}",
    ))
    return answer


@blueprint.post("/line")
@public
def line() -> Answer:
    """What a browser needs for one call within a minute. Asked for by this site's own script."""
    _must_be_open()
    if urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        raise Forbidden()
    here = console()
    realm = urlsplit(citizens_socket()).hostname
    return {
        "socket": citizens_socket(), "uri": f"sip:{web_calls.USER}@{realm}",
        "secret": here.secrets.web_phone, "target": f"sip:1022@{realm}",
        "token": web_calls.token(here.secrets.web_key, utc_now()),
    }, 200


def _must_be_open() -> None:
    if not console().settings.web_calls:
        raise NotFound()

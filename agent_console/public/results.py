"""Results of cases for everybody: a page, and a feed for readers of news."""

from __future__ import annotations

from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]

from agent_console import words
from agent_console.asked import whole
from agent_console.door import Answer, console, public, utc_now
from crm import areas
from crm.cases.categories import CATEGORIES
from crm.clock import vietnam_day
from crm.intake import results

blueprint = Blueprint("results", __name__)
FRESH_S = 300
MOST_PAGES = results.COUNTED // results.PAGE


@blueprint.get("/results")
@public
def page() -> Answer:
    """Filtered by `area` and `category`; `page` counts from 1."""
    area, category = request.args.get("area") or None, request.args.get("category") or None
    number = min(max(request.args.get("page", 1, type=whole), 1), MOST_PAGES)
    with console().database.reading() as session:
        found, count = results.find(session, area=area, category=category, page=number)
    units = areas.standing(vietnam_day(utc_now()))
    return render_template(
        "public/results.html", found=found, count=count, number=number, area=area,
        category=category, units=units, categories=CATEGORIES,
        pages=min(-(-count // results.PAGE), MOST_PAGES),
    )


@blueprint.get("/results.rss")
@public
def feed() -> Answer:
    """RSS 2.0 of the latest."""
    with console().database.reading() as session:
        found, _count = results.find(session)
    units = areas.standing(vietnam_day(utc_now()))
    top = Element("rss", version="2.0")
    channel = SubElement(top, "channel")
    for tag, told in (
        ("title", "1022 Thanh Hóa"), ("link", url_for(".page", _external=True)),
        ("description", _("Results of citizens' reports")), ("language", "vi"),
    ):
        SubElement(channel, tag).text = told
    for case in found:
        item = SubElement(channel, "item")
        place = units[case.area].name if case.area in units else ""
        title = ", ".join(filter(None, (words.category(case.category), place)))
        SubElement(item, "title").text = title or _("Report")
        SubElement(item, "description").text = case.public_text
        SubElement(item, "guid", isPermaLink="false").text = f"1022-{case.id}"
        if case.resolved_at:
            SubElement(item, "pubDate").text = format_datetime(case.resolved_at)
    answer = Response(
        tostring(top, encoding="utf-8", xml_declaration=True), mimetype="application/rss+xml"
    )
    answer.cache_control.public, answer.cache_control.max_age = True, FRESH_S
    answer.add_etag()
    return answer.make_conditional(request)

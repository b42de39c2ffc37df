"""Who gets which report by e-mail: added, ended, sent at once, each noted in the audit log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest

from agent_console.door import Answer, console, needs, person, utc_now
from crm.reports import subscriptions
from crm.reports.subscriptions import Every, Report, SubscriptionError
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("report_mail", __name__, url_prefix="/reports/by-mail")


@blueprint.get("")
@needs(Right.REPORTS_SEE)
def page() -> Answer:
    return _page()


@blueprint.post("")
@needs(Right.REPORTS_MAIL)
def add() -> Answer:
    form = request.form
    try:
        report, every = Report(form.get("report", "")), Every(form.get("every", ""))
    except ValueError as error:
        raise BadRequest() from error
    try:
        with console().database.transaction() as session:
            made = subscriptions.add(
                session, report, every, form.get("recipient", ""), by=person().login, now=utc_now()
            )
            recipient = made.recipient
    except SubscriptionError as error:
        return _page(_problem(error.code), form)
    audit.warning("%s: report %s each %s goes to %s", person().login, report, every, recipient)
    flash(_("%(who)s gets it from the next time on.", who=recipient))
    return redirect(url_for(".page"))


@blueprint.post("/<int:which>/end")
@needs(Right.REPORTS_MAIL)
def end(which: int) -> Answer:
    try:
        with console().database.transaction() as session:
            one = subscriptions.end(session, which, by=person().login, now=utc_now())
            report, every, recipient = one.report, one.every, one.recipient
    except SubscriptionError as error:
        return _page(_problem(error.code))
    audit.warning("%s: report %s each %s goes to %s no more", person().login, report, every,
                  recipient)
    flash(_("%(who)s does not get it any more.", who=recipient))
    return redirect(url_for(".page"))


@blueprint.post("/<int:which>/send")
@needs(Right.REPORTS_MAIL)
def send(which: int) -> Answer:
    try:
        with console().database.transaction() as session:
            one, span = subscriptions.send_now(session, console().settings, which, utc_now())
            report, every, recipient = one.report, one.every, one.recipient
    except SubscriptionError as error:
        return _page(_problem(error.code))
    audit.warning("%s: report %s each %s of %s sent to %s now", person().login, report, every,
                  span.first, recipient)
    flash(_("The report of %(first)s to %(last)s is on its way to %(who)s.",
            first=f"{span.first:%d/%m/%Y}", last=f"{span.last:%d/%m/%Y}", who=recipient))
    return redirect(url_for(".page"))


def _page(problem: str | None = None, given: Mapping[str, str] | None = None) -> Answer:
    with console().database.reading() as session:
        return render_template(
            "reports_mail.html", standing=subscriptions.standing(session),
            ended=subscriptions.ended(session), reports=_reports(), often=_often(),
            problem=problem, given=given or {}, mail_server=console().settings.mail_server,
        ), 400 if problem else 200


def _reports() -> dict[str, str]:
    return {
        Report.SERVICE.value: _("Quality of service: calls, waits, handling, agents"),
        Report.LINES.value: _("Lines of agencies and doctors"),
        Report.WORK.value: _("Calls by branch, cases by field and agency"),
    }


def _often() -> dict[str, str]:
    return {
        Every.DAY.value: _("each morning at 07:00, of the day before"),
        Every.WEEK.value: _("Mondays at 07:00, of the week before"),
        Every.MONTH.value: _("on the 1st at 07:00, of the month before"),
    }


def _problem(code: str) -> str:
    return str({
        "address": _("This is no e-mail address. It is written like name@example.vn."),
        "twice": _("This address gets this report this often already."),
        "most": _("%(most)s are kept already. Please end one first.", most=subscriptions.MOST),
        "gone": _("Somebody else has ended it meanwhile."),
    }[code])

"""The handover of a shift: how things stand, two signatures, and the sheet to be printed."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from agent_console import shifts_words, words
from agent_console.door import Answer, console, needs, person, utc_now
from crm.reports.document import Column, Document, Kind, Section, Table, moment
from crm.rights import Right
from crm.shifts import handovers, standing
from crm.shifts.handovers import HandoverError
from crm.shifts.models import Handover

blueprint = Blueprint("handovers", __name__, url_prefix="/handovers")
LISTED = 30


@blueprint.get("")
@needs(Right.HANDOVERS_SEE)
def listing() -> Answer:
    return _listing()


@blueprint.post("")
@needs(Right.HANDOVERS_SIGN)
def sign() -> Answer:
    """The outgoing lead signs how things stand now, with `remarks`."""
    now, remarks = utc_now(), request.form.get("remarks", "")
    try:
        with console().database.transaction() as session:
            found = standing.snapshot(session, console().settings, now)
            id_ = handovers.sign(session, found, remarks, by=person().login, now=now).id
    except HandoverError as error:
        return _listing(error.code, remarks)
    flash(_("Signed. The lead who comes signs in and signs too."))
    return redirect(url_for(".page", handover_id=id_))


@blueprint.get("/<int:handover_id>")
@needs(Right.HANDOVERS_SEE)
def page(handover_id: int) -> Answer:
    return _page(handover_id)


@blueprint.post("/<int:handover_id>/take")
@needs(Right.HANDOVERS_SIGN)
def take(handover_id: int) -> Answer:
    """The incoming lead signs, with an `answer`."""
    answer = request.form.get("answer", "")
    try:
        with console().database.transaction() as session:
            handovers.take(session, handover_id, answer, by=person().login, now=utc_now())
    except HandoverError as error:
        return _page(handover_id, error.code, answer)
    flash(_("The shift is handed over."))
    return redirect(url_for(".page", handover_id=handover_id))


@blueprint.post("/<int:handover_id>/withdraw")
@needs(Right.HANDOVERS_SIGN)
def withdraw(handover_id: int) -> Answer:
    try:
        with console().database.transaction() as session:
            handovers.withdraw(session, handover_id, by=person().login, now=utc_now())
    except HandoverError as error:
        raise Conflict(shifts_words.handover_problem(error.code)) from error
    return redirect(url_for(".listing"))


@blueprint.get("/<int:handover_id>.pdf")
@needs(Right.HANDOVERS_SEE)
def sheet(handover_id: int) -> Answer:
    from crm.reports import pdf

    with console().database.reading() as session:
        found = _named(session, handover_id)
        content = pdf.render(_document(found), found.taken_at or found.signed_at)
    answer = Response(content, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="ban-giao-ca-{handover_id}.pdf"'
    return answer


def _listing(problem: str | None = None, remarks: str = "") -> Answer:
    with console().database.reading() as session:
        return render_template(
            "handovers.html", found=handovers.latest(session, LISTED),
            waits=handovers.waiting(session), remarks=remarks, longest=handovers.LONGEST,
            snapshot=standing.snapshot(session, console().settings, utc_now()),
            said=shifts_words, may_sign=person().may(Right.HANDOVERS_SIGN),
            names=words.names_of(session),
            problem=shifts_words.handover_problem(problem) if problem else None,
        ), 409 if problem else 200


def _page(handover_id: int, problem: str | None = None, answer: str = "") -> Answer:
    with console().database.reading() as session:
        found = _named(session, handover_id)
        return render_template(
            "handover.html", one=found, said=shifts_words, names=words.names_of(session),
            may_sign=person().may(Right.HANDOVERS_SIGN),
            intact=handovers.is_intact(found), answer=answer, longest=handovers.LONGEST,
            problem=shifts_words.handover_problem(problem) if problem else None,
        ), 409 if problem else 200


def _named(session: Session, handover_id: int) -> Handover:
    try:
        return handovers.named(session, handover_id)
    except HandoverError as error:
        raise NotFound() from error


def _document(handover: Handover) -> Document:
    """The sheet, as it was signed."""
    titles = shifts_words.sections()
    sections = tuple(
        Section(
            name, titles[name][:31], f"{titles[name]}: {part['total']}", (),
            Table(
                (Column(_("Time"), Kind.TEXT, 1.3), Column(_("What"), Kind.TEXT, 1.8),
                 Column(_("Details"), Kind.TEXT, 3)),
                tuple(shifts_words.item(name, one) for one in part["items"]),
            ),
            _("Nothing."),
        )
        for name, part in handover.snapshot["sections"].items()
    )
    closing = [_("Remarks: %(text)s", text=handover.remarks or "–")]
    if handover.taken_at:
        closing.append(_("Remarks of the lead who comes: %(text)s", text=handover.answer or "–"))
    second = _("not signed yet")
    if handover.incoming and handover.taken_at:
        second = f"{handover.incoming}, {moment(handover.taken_at)}"
    return Document(
        heading=("TỔNG ĐÀI (0237) 1022 THANH HÓA",), number=f"{handover.id}", dated="",
        title=_("Handover of a shift"), subtitle=moment(handover.signed_at), to=(),
        sections=sections, closing=tuple(closing),
        signers=(
            f"{_('Hands over')}\n{handover.outgoing}, {moment(handover.signed_at)}",
            f"{_('Takes over')}\n{second}",
        ),
        foot=f"1022 · {handover.digest[:16]}",
    )

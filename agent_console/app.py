"""The Flask application."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

from flask import Flask, render_template, request
from flask_babel import Babel  # type: ignore[import-untyped]
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from agent_console import (
    agency_people,
    api_keys,
    asked,
    board,
    breaches,
    broadcast_desk,
    bulletin,
    call_desk,
    case_desk,
    case_intake,
    citizens,
    controls,
    desk,
    desk_rules,
    door,
    expert_desk,
    intake_words,
    keypad,
    knowledge,
    machines,
    manuals,
    messages,
    notice_desk,
    officer_desk,
    people,
    points,
    privacy,
    quality,
    receipts,
    recordings,
    report_mail,
    reports,
    second_factor,
    service_reports,
    shifts,
    shifts_handovers,
    shifts_instructions,
    single_sign_on,
    staffing,
    supervision,
    surge,
    tracing,
    training,
    ways,
    words,
    work,
)
from agent_console.api import description, limits, open311, operations, problems
from agent_console.catalogues import TRANSLATIONS
from agent_console.door import Answer, Console, Heard, PhoneCommands, nothing_heard
from agent_console.feed import Feed
from agent_console.identity_provider import IdentityProvider
from agent_console.public import call, lookup, report, results
from crm.database import Database
from crm.rights import Right
from crm.secrets import Secrets
from crm.settings import Settings

LONGEST_BODY = 64 * 1024
CITIZENS = {one.blueprint.name for one in (report, lookup, results, call)}


def create_app(
    settings: Settings, database: Database, commands: PhoneCommands, secrets: Secrets, *,
    secure: bool = False, heard: Heard = nothing_heard,
) -> Flask:
    """The console as a WSGI application. `secure`: it is served over TLS.

    Its live feed stands still until `feed_of(app).start()`.
    """
    app = Flask(__name__)
    app.url_map.converters["int"] = asked.RowNumber
    app.config.update(
        SECRET_KEY=secrets.console_key, MAX_CONTENT_LENGTH=LONGEST_BODY,
        SESSION_COOKIE_NAME=f"hotline_form_{settings.console_bind.port}",
        SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=secure,
        WTF_CSRF_TIME_LIMIT=None,  # a page stays open for a shift; the session ends it
        WTF_CSRF_SSL_STRICT=secure, BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
        SEND_FILE_MAX_AGE_DEFAULT=31536000,  # addresses of files carry their hash
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # choices keep their order
    app.jinja_env.policies["json.dumps_kwargs"] = {}
    app.extensions["console"] = Console(
        settings, database, commands,
        Feed(database, settings.service_level_s, timedelta(minutes=settings.shift_late_min)),
        secure, secrets, heard,
        IdentityProvider(settings) if settings.oidc_issuer else None,
    )
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies,
            x_host=settings.proxies,
        )
    door.install(app)
    guard = CSRFProtect(app)
    guard.exempt(receipts.blueprint)  # providers sign instead
    guard.exempt(call.blueprint)  # within another site's page a browser sends no cookie
    Babel(app, default_locale="vi", locale_selector=door.language)
    for room in (
        people, second_factor, single_sign_on, keypad, desk, desk_rules, call_desk, board,
        supervision, work, messages, recordings, quality, case_desk, case_intake, knowledge,
        points, controls, surge, machines, bulletin, agency_people, officer_desk, citizens, tracing,
        training, privacy, breaches, shifts, shifts_handovers, shifts_instructions, staffing,
        notice_desk, broadcast_desk, receipts, reports, report_mail, service_reports, manuals,
        api_keys, expert_desk, description, report, lookup, results, call,
    ):
        app.register_blueprint(room.blueprint)
    for blueprint in (operations.blueprint, operations.open_blueprint, open311.blueprint):
        guard.exempt(blueprint)  # they take no cookie
        app.register_blueprint(blueprint)
    limits.install(
        app, operations.blueprint, operations.open_blueprint, open311.blueprint,
        report.blueprint, lookup.blueprint, results.blueprint,
        sent=(report.blueprint, call.blueprint),
    )
    _install_errors(app)
    _install_templates(app)
    return app


def feed_of(app: Flask) -> Feed:
    """The live feed of an application, to be started and closed by whoever serves it."""
    console: Console = app.extensions["console"]
    return console.feed


def _install_errors(app: Flask) -> None:
    @app.errorhandler(problems.Problem)
    def _problem(problem: problems.Problem) -> Answer:
        return problem.answer()

    def told(code: int, sentence: str) -> Answer:
        if request.path.startswith("/api/v1/"):
            return problems.of_status(code)
        if request.path.startswith("/open311/"):
            return open311.faults(code, HTTPStatus(code).phrase)
        if door.for_script():
            return door.refusal(code, sentence)
        outside = request.blueprint in CITIZENS
        page = "public/problem.html" if outside else "problem.html"
        return render_template(page, code=code, sentence=sentence), code

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Answer:
        sentences = {
            400: _("The server did not understand this request."),
            401: _("You are signed out. Please sign in again."),
            403: _("This page is not for your role."),
            404: _("There is no such page."),
            405: _("This cannot be done here."),
            413: _("This is too long."),
            429: _("Too much was sent from here. Please try again later, or call 1022."),
            503: _("Too many pages are open. Please try again in a moment."),
        }
        code = error.code or 500
        own = error.description if type(error).description != error.description else None
        if code == 429:
            own = None  # the limiter tells its figures
        elif code == 413 and request.blueprint == report.blueprint.name:
            own = _("The files are too large together. Please go back and leave some out.")
        return told(code, own or sentences.get(code, _("Something went wrong on the server.")))

    @app.errorhandler(CSRFError)
    def _forged(_error: CSRFError) -> Answer:
        return told(400, _("This form has expired. Please load the page again."))

    @app.errorhandler(SQLAlchemyError)
    def _database(error: SQLAlchemyError) -> Answer:
        app.logger.error("%s %s: %s", request.method, request.path, error)
        if isinstance(error, DBAPIError) and not _is_gone(error):
            return told(500, _("Something went wrong on the server."))
        return told(503, _(
            "The database does not answer. Calls go on; open pages keep their notes and save "
            "them later. Please try again in a moment."
        ))

    @app.errorhandler(500)
    def _fault(_error: Exception) -> Answer:
        return told(500, _("Something went wrong on the server."))


def _is_gone(error: DBAPIError) -> bool:
    return error.connection_invalidated or type(error).__name__ in (
        "OperationalError", "InterfaceError", "InternalError", "DatabaseError"
    )


def _install_templates(app: Flask) -> None:
    static = Path(app.static_folder or "")
    hashes: dict[str, tuple[int, str]] = {}

    def asset(name: str) -> str:
        """Address of a file with the hash of its content, so that browsers may keep it."""
        file = static / name
        if not file.exists():
            return f"/static/{name}"
        changed = file.stat().st_mtime_ns
        if name not in hashes or hashes[name][0] != changed:
            hashes[name] = changed, hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        return f"/static/{name}?v={hashes[name][1]}"

    app.jinja_env.globals.update(
        asset=asset, words=words, intake=intake_words, language=door.language,
        ways=ways.ways, Right=Right,
        web_calls=app.extensions["console"].settings.web_calls,
        stage=app.extensions["console"].settings.stage,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

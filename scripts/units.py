"""What a server with systemd needs besides the program: units, timers, log rotation, settings.

The layout is Debian's: settings in /etc/hotline1022, state in /var/lib/hotline1022, the log in the
system's journal. The program itself stays where it lies.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crm.errors import HotlineError
from crm.settings import PROJECT

TEMPLATES = Path(__file__).parent / "systemd"
UNITS = Path("etc/systemd/system")
FILES = {
    "hotline1022.service.j2": UNITS / "hotline1022.service",
    "hotline1022-probe.service.j2": UNITS / "hotline1022-probe.service",
    "hotline1022-probe.timer.j2": UNITS / "hotline1022-probe.timer",
    "hotline1022-doctor.service.j2": UNITS / "hotline1022-doctor.service",
    "hotline1022-doctor.timer.j2": UNITS / "hotline1022-doctor.timer",
    "hotline1022-backup.service.j2": UNITS / "hotline1022-backup.service",
    "hotline1022-backup.timer.j2": UNITS / "hotline1022-backup.timer",
    "hotline1022-firewall.service.j2": UNITS / "hotline1022-firewall.service",
    "hotline1022-bans.service.j2": UNITS / "hotline1022-bans.service",
    "hotline1022-bans.timer.j2": UNITS / "hotline1022-bans.timer",
    "logrotate.j2": Path("etc/logrotate.d/hotline1022"),
    "hotline.toml.j2": Path("etc/hotline1022/hotline.toml"),
}
NEXT = """
Then, as root:
  useradd --system --home-dir /var/lib/hotline1022 --shell /usr/sbin/nologin {user}
  editor /etc/hotline1022/hotline.toml
  install -d -o {user} -g {user} -m 750 /var/lib/hotline1022
  HOTLINE_HOME=/var/lib/hotline1022 HOTLINE_CONFIG=/etc/hotline1022/hotline.toml hotline setup
  chown -R {user}: /var/lib/hotline1022
  systemctl daemon-reload
  systemctl enable --now hotline1022 hotline1022-probe.timer hotline1022-doctor.timer
  systemctl enable --now hotline1022-backup.timer   # once backup_key and backup_folder are set
  hotline firewall     # who may reach which port; if that is right:
  systemctl enable --now hotline1022-firewall hotline1022-bans.timer"""


class UnitsError(HotlineError):
    """The files cannot be written. The message says which and why."""


def install(
    root: Path, user: str, *, project: Path = PROJECT, python: str = sys.executable
) -> list[str]:
    """Write the files below `root`; one line for each. What somebody has changed stays. `project`
    and `python` are where the program and its interpreter will lie when they are used."""
    rendered = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    told = []
    for template, place in FILES.items():
        text = rendered.get_template(template).render(
            project=project, python=python, user=user
        )
        told.append(_write(root / place, text))
    return told


def _write(file: Path, text: str) -> str:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(text, encoding="utf-8")
            return f"{file}"
        if file.read_text(encoding="utf-8") == text:
            return f"{file} (as it was)"
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(text, encoding="utf-8")
        return f"{file} was changed and is kept; compare it with {beside}"
    except OSError as error:
        raise UnitsError(f"{error.filename}: {error.strerror}") from error

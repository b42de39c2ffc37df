"""`hotline portal`: cases that the province's portals hand over, as files."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import click

from crm.settings import Settings

PORTALS = ("phanhoi", "dichvucong")
_PORTAL = click.argument("portal", type=click.Choice(PORTALS))


@click.group()
def portal() -> None:
    """Cases of Phản hồi Thanh Hóa (phanhoi) and of the portal of public services (dichvucong)."""


@portal.command(name="import")
@_PORTAL
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", "dry", is_flag=True, help="Only list every bad row.")
@click.pass_obj
def import_(settings: Settings, portal: str, file: Path, dry: bool) -> None:
    """Take in a CSV or XLSX file of a portal: all rows, or none and every bad one is listed.

    Its first line is external_id,received_on,summary,place,category,phone,status. What has come
    before is known by its external_id: only its state at the portal is noted.
    """
    from crm.cases.deadlines import GENERALS
    from crm.database import Database
    from crm.imports import files
    from crm.intake import portals

    rows, now = files.read(file, portals.TAKEN), datetime.now(UTC)
    if dry:
        if faults := portals.check(rows, now):
            raise portals.PortalError("\n".join(faults))
        click.echo(f"{len(rows)} rows, no fault; nothing was changed")
        return
    with Database.of(settings).transaction() as session:
        done = portals.take_in(
            session, portals.Portal(portal), rows, by=getpass.getuser(), now=now,
            general=GENERALS[settings.general_days],
        )
    click.echo(
        f"{done.opened} cases opened, {done.changed} states changed, {done.unchanged} as they were"
    )


@portal.command()
@_PORTAL
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--all", "every", is_flag=True, help="Also what the portal has been told before.")
@click.option("--mail", "address", help="Send the file to this e-mail address too.")
@click.pass_obj
def export(settings: Settings, portal: str, file: Path, every: bool, address: str | None) -> None:
    """Write what has become of a portal's cases, since it was told last, to a .csv or .xlsx file.
    """
    from crm.database import Database
    from crm.imports import files
    from crm.intake import portals
    from crm.notices import outbox
    from crm.notices.outbox import Attachment, Channel, Purpose

    excel = file.suffix.lower() == ".xlsx"
    if not excel and file.suffix.lower() != ".csv":
        raise click.UsageError("the file's name ends with .csv or .xlsx")
    now = datetime.now(UTC)
    with Database.of(settings).transaction() as session:
        found = portals.news(session, portals.Portal(portal), every=every)
        rows = [portals.as_row(one) for one in found]
        content = (files.as_xlsx if excel else files.as_csv)(rows, portals.GIVEN)
        file.write_bytes(content)
        if address and rows:
            kind = (
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" if excel
                else "text/csv"
            )
            outbox.write(
                session, channel=Channel.EMAIL, recipient=address, now=now, purpose=Purpose.REPORT,
                subject=f"1022 Thanh Hóa: kết quả xử lý {len(rows)} phản ánh ({portal})",
                body="Gửi kèm trạng thái các phản ánh đã chuyển đến tổng đài 1022.",
                files=[Attachment(file.name, kind, content)],
            )
        portals.told(found, now)  # last: what cannot be written is told next time
    click.echo(f"{len(rows)} cases")

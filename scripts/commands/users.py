"""`hotline user`: accounts."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crm.branches import QUEUES
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

ROLES = (
    "agent", "lead", "dispatcher", "supervisor", "admin", "auditor", "health", "expert",
)  # those of agencies get theirs in the console


@click.group()
def user() -> None:
    """Accounts of agents, supervisors and admins."""


@user.command(name="add")
@click.argument("login")
@click.option("--name", required=True, help="The person's name as others see it.")
@click.option("--role", type=click.Choice(ROLES), default="agent")
@click.option("--queues", default=",".join(QUEUES), help="Queues an agent serves.")
@click.pass_obj
def user_add(settings: Settings, login: str, name: str, role: str, queues: str) -> None:
    """Make an account; its password is generated and shown once."""
    from crm import users
    from crm.database import Database
    from crm.models import Role

    password = users.generate_password()
    with Database.of(settings).transaction() as session:
        users.create_user(
            session, login=login, name=name, role=Role(role), password=password,
            now=datetime.now(UTC),
            queues=[part for part in queues.split(",") if part] if role == "agent" else (),
        )
    click.echo(f"{login}  {password}")


@user.command(name="password")
@click.argument("login")
@click.pass_obj
def user_password(settings: Settings, login: str) -> None:
    """Give an account a new generated password; it is signed out everywhere."""
    from sqlalchemy import select

    from crm import users
    from crm.database import Database
    from crm.models import User

    password = users.generate_password()
    with Database.of(settings).transaction() as session:
        found = session.scalar(select(User).where(User.login == login))
        if found is None:
            raise click.UsageError(f"there is no account {login}")
        users.set_password(session, found, password, datetime.now(UTC))
    click.echo(f"{login}  {password}")


@user.command(name="factor-reset")
@click.argument("login")
@click.pass_obj
def user_factor_reset(settings: Settings, login: str) -> None:
    """Take an account's second factor away, when phone and recovery codes are lost; it is signed
    out everywhere."""
    from crm import second_factor, users
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        done = second_factor.reset(session, users.named(session, login), datetime.now(UTC))
    click.echo("taken away" if done else f"{login} has no second factor")


@user.command(name="rights")
def user_rights() -> None:
    """What each role may do."""
    from crm import rights

    for line in rights.published():
        click.echo(line)


@user.command(name="list")
@AS_JSON
@click.pass_obj
def user_list(settings: Settings, as_json: bool) -> None:
    """All accounts."""
    from sqlalchemy import select

    from crm.database import Database
    from crm.models import User

    with Database.of(settings).reading() as session:
        found = list(session.scalars(select(User).order_by(User.login)))
    rows = [
        {"login": one.login, "name": one.name, "role": one.role, "active": one.active}
        for one in found
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo(f"{row['login']:<16} {row['role']:<12} {row['name']}"
                       + ("" if row["active"] else "  (off)"))

"""`hotline prompts`: what is said; human recordings, and who listened to them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def prompts() -> None:
    """The prompts."""


@prompts.command(name="build")
@click.pass_obj
def prompts_build(settings: Settings) -> None:
    """Build what is missing or changed, human recordings first."""
    from scripts import setup as set_up

    set_up.build_prompts(settings, click.echo)


@prompts.command(name="check")
@AS_JSON
@click.pass_obj
def prompts_check(settings: Settings, as_json: bool) -> None:
    """Fail if a prompt that is used is not there or sounds wrong; list those nobody uses."""
    from scripts import speech

    lacking, unused = speech.missing(settings), speech.unused(settings)
    faults = speech.sound_faults(settings)
    if as_json:
        print_json({"missing": lacking, "unused": unused, "faults": faults})
    else:
        for name in lacking:
            click.echo(f"missing: {name}", err=True)
        for name, why in faults.items():
            click.echo(f"{name}: {'; '.join(why)}", err=True)
        click.echo(f"{len(lacking)} missing, {len(unused)} in the catalogue but not used yet: "
                   + ", ".join(unused))
    if lacking or faults:
        raise SystemExit(1)


@prompts.command(name="list")
@click.option("--unready", is_flag=True, help="Used ones that are unapproved or by espeak-ng.")
@AS_JSON
@click.pass_obj
def prompts_list(settings: Settings, unready: bool, as_json: bool) -> None:
    """Every sound file: who speaks it, how long it is, who approved it, and its words."""
    from prompts.build import duration_ms
    from scripts import speech

    standing = speech.unready(settings) if unready else speech.soundings(settings)
    rows: list[dict[str, Any]] = [
        {
            "name": one.name, "source": one.source, "ms": duration_ms(one.path),
            "medical": one.medical, "waiting": one.waiting, "text": one.text,
            "version": one.key[:12],
            "approved_by": one.approval.by if one.approval else None,
            "doctor": one.approval.doctor or None if one.approval else None,
            "approved_at": one.approval.at.isoformat() if one.approval else None,
        }
        for one in standing
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        if row["waiting"]:
            state = "NOT PLAYED: medical"
        else:
            state = f"approved: {row['approved_by']}" if row["approved_by"] else "unapproved"
        click.echo(
            f"{row['name']:<30} {row['source']:<10} {row['ms'] / 1000:5.1f} s  {state:<20} "
            f"{row['text']}"
        )


@prompts.command(name="play")
@click.argument("name")
@click.option("--save", type=click.Path(path_type=Path), help="Write a WAV file; play nothing.")
@click.pass_obj
def prompts_play(settings: Settings, name: str, save: Path | None) -> None:
    """Play one sound file as the telephone line carries it, a medical text that waits included."""
    import shutil
    import subprocess
    import tempfile

    from ivr.phone.audio import write_wav
    from prompts import sound
    from scripts import speech

    one = next((one for one in speech.soundings(settings) if one.name == name), None)
    if one is None:
        raise click.UsageError(f"{name}: no built prompt is named so (see hotline prompts list)")
    click.echo(f"{one.text}  ({one.source}, version {one.key[:12]})")
    samples = sound.decode_alaw(one.path.read_bytes())
    pcm = (samples * 32767).astype("int16")
    if save is not None:
        write_wav(save, pcm)
        return
    player = shutil.which("aplay") or shutil.which("paplay") or shutil.which("play")
    if player is None:
        raise click.ClickException("this machine has no player (aplay): use --save FILE.wav")
    with tempfile.TemporaryDirectory() as folder:
        write_wav(Path(folder) / "prompt.wav", pcm)
        played = subprocess.run([player, str(Path(folder) / "prompt.wav")], check=False)
    if played.returncode:
        raise click.ClickException(f"{player} could not play it: use --save FILE.wav")


@prompts.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="The prompt, where one file is not named after it.")
@click.pass_obj
def prompts_import(settings: Settings, files: tuple[Path, ...], name: str | None) -> None:
    """Take human recordings in, checked and converted; each is heard from the next call on.

    A file is named after its prompt (greeting_main.wav), or there is one file and --name.
    """
    from scripts import setup as set_up
    from scripts import speech

    if name is not None and len(files) > 1:
        raise click.UsageError("--name is for one file")
    refused = 0
    for file in files:
        try:
            seconds = speech.import_recording(settings, file, name or file.stem)
        except speech.ReviewError as error:
            click.echo(str(error), err=True)
            refused += 1
        else:
            click.echo(f"{name or file.stem}: {seconds:.1f} s; approve it when you have heard it")
    set_up.build_prompts(settings, click.echo)
    if refused:
        raise SystemExit(1)


@prompts.command(name="approve")
@click.argument("patterns", nargs=-1, required=True)
@click.option("--by", required=True, help="Who has listened to them.")
@click.option("--doctor", default="", help="Who answers for medical texts.")
@click.pass_obj
def prompts_approve(settings: Settings, patterns: tuple[str, ...], by: str, doctor: str) -> None:
    """Note who listened to prompts ('n_*' fits many); medical texts are played from then on."""
    from scripts import setup as set_up
    from scripts import speech

    names = speech.approve(settings, patterns, by.strip(), doctor.strip(), datetime.now(UTC))
    set_up.build_prompts(settings, click.echo)
    click.echo(f"{len(names)} approved by {by}: {', '.join(names[:10])}")

"""The trainer's page: which simulated citizens come, what agents did with them, and how well."""

from __future__ import annotations

from flask import Blueprint, render_template

from agent_console import words
from agent_console.door import Answer, console, needs
from crm import areas, training
from crm.rights import Right

blueprint = Blueprint("training", __name__)


@blueprint.get("/training")
@needs(Right.FLOOR_SEE)
def page() -> Answer:
    settings = console().settings
    if settings.stage != "training":
        return render_template("training.html", calls=None)
    with console().database.reading() as session:
        calls = training.graded(session, settings.home, settings.service_level_s)
    return render_template(
        "training.html", calls=calls, marks=words.training_marks(),
        scripts=training.scripts().values(), area=_area,
    )


def _area(code: str) -> str:
    return next((one.name for one in areas.all_areas() if one.code == code), code)

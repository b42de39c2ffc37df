"""Who may import whom: scripts → agent_console, ivr, prompts → crm, and nothing else."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
ROOMS = {
    "crm": set(),
    "ivr": {"crm"},
    "prompts": {"crm"},
    "agent_console": {"crm", "ivr.commands"},
    "scripts": {"agent_console", "crm", "ivr", "prompts"},
}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    for file in (PROJECT / room).rglob("*.py"):
        if "node_modules" in file.parts:
            continue
        for name in imports(file):
            other = name.split(".")[0]
            if other == room or other not in ROOMS:
                continue
            allowed = any(name == one or name.startswith(f"{one}.") for one in ROOMS[room])
            bare = name == "ivr" and room == "agent_console"  # `from ivr import commands`
            assert allowed or bare, f"{file.relative_to(PROJECT)} imports {name}"


def test_a_command_waits_for_no_library_that_it_does_not_use() -> None:
    """`hotline call` or `hotline settings` begin at once: what is heavy is imported by whom it
    serves."""
    heavy = {"sqlalchemy", "numpy", "openpyxl", "fpdf", "flask", "pydantic", "jinja2", "holidays"}
    shown = subprocess.run(
        [sys.executable, "-c", "import scripts.hotline, sys; print(*sys.modules)"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )
    assert heavy & set(shown.stdout.split()) == set()

"""What setup.cfg cannot say: a package without the browser's scripts or texts is not built."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class Whole(build_py):
    def run(self) -> None:
        room = Path(__file__).parent / "agent_console"
        for made in ("static/dist/agent.js", "translations/vi/LC_MESSAGES/messages.mo"):
            if not self.editable_mode and not (room / made).exists():
                raise SystemExit(f"agent_console/{made} is not built: run ./scripts/package")
        super().run()


setup(cmdclass={"build_py": Whole})

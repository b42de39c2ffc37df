"""The main menu as most people would build it: a FastAGI server in Python (panoramisk) that tells
Asterisk sound by sound what to play.

    python -m scripts.bench.fastagi PORT SOUND...
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from panoramisk.fast_agi import Application  # type: ignore[import-untyped]

KEYS = '"0123456789*#"'


def main() -> None:
    port, *sounds = sys.argv[1:]
    asyncio.run(serve(int(port), sounds))


async def serve(port: int, sounds: list[str]) -> None:
    async def menu(request: Any) -> None:
        await request.send_command("ANSWER")
        await request.send_command("EXEC Wait 0.4")
        for sound in sounds:
            told = await request.send_command(f"STREAM FILE {sound} {KEYS}")
            if (told.get("result") or ("0",))[0] != "0":  # a key, or the caller has gone
                break
        await request.send_command("HANGUP")

    application = Application(loop=asyncio.get_running_loop())
    application.add_route("menu", menu)
    server = await asyncio.start_server(application.handler, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    main()

"""Where what is kept for long lies: in the state folder, or in a folder that several nodes share.

Nodes write calls to their own disks, and move what has been sealed into the shared folder
(HOTLINE_KEPT): so it can be heard while the node that recorded it is down. Its place in the state
folder is a link, so that with the network file system gone nothing is written beside it unseen.
"""

from __future__ import annotations

from pathlib import Path

LINK = "kept"
NAMES = ("recordings", "voicemail", "attachments", "archive")


def folder(home: Path, name: str) -> Path:
    """The folder of one of these names."""
    shared = home / LINK
    return (shared if shared.is_symlink() else home) / name


def share(home: Path, shared: Path) -> None:
    """Lead these names to the shared folder, which must be there. Raises OSError."""
    for name in NAMES:
        (shared / name).mkdir(mode=0o700, exist_ok=True)
    link = home / LINK
    if not link.is_symlink() or link.readlink() != shared:
        draft = home / f"{LINK}.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(shared)
        draft.replace(link)

"""Starts the station as the campaign wants it: with its syncs noted, and one guard taken out.

The product has no switch for this: what is taken out is replaced here, before it starts.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from api.main import app
from campaign.mutants import MUTANTS


def main() -> None:
    """``python -m campaign.station [--synced FILE] [--without GUARD] -- ARGUMENTS``."""
    ours, theirs = _split(sys.argv[1:])
    options = dict(zip(ours[::2], ours[1::2], strict=True))
    if "--synced" in options:
        _note_syncs(Path(options["--synced"]))
    if "--without" in options:
        MUTANTS[options["--without"]].take_out()
    app(theirs)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    end = arguments.index("--")
    return arguments[:end], arguments[end + 1 :]


def _note_syncs(log: Path) -> None:
    """Note the name of every file and folder that is synced, and when, in ``log``."""
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{time.time_ns()} {name}\n")

    os.fsync = noted  # type: ignore[assignment]


if __name__ == "__main__":
    main()

"""How every command answers: one JSON document on stdout, people's text on stderr."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from evidence.errors import EvidenceError
from grading.errors import GradingError

DONE, BAD_CALL, NOT_JUDGED = 0, 2, 3

progress_console = Console(stderr=True)


def error_json(error: GradingError | EvidenceError, file: str) -> dict[str, str]:
    """Return an error as the command line's JSON carries it."""
    return {
        "type": error.code,
        "title": error.title,
        "detail": error.detail,
        "remedy": error.remedy,
        "file": file,
    }


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; NaN and infinity have no place in it."""
    sys.stdout.write(json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n")


def finish(items: Iterable[dict[str, Any]]) -> NoReturn:
    """Leave with 3 where any item could not be judged, and 0 otherwise."""
    raise typer.Exit(NOT_JUDGED if any("error" in item for item in items) else DONE)


def at_the_shell() -> str:
    """Return under which name the audit trail has what is done at the command line."""
    return f"{getpass.getuser()[:60]} (command line)"


def existing(paths: list[Path]) -> None:
    """Leave with 2 where a file that was named does not exist."""
    for path in paths:
        if not path.exists():
            progress_console.print(f"{path} does not exist.", style="red")
            raise typer.Exit(BAD_CALL)

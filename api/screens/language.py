"""The two languages of the screens."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

from fastapi import Request

LANGUAGES = ("nl", "en")
COOKIE = "language"

Translate = Callable[[str, str], str]


@cache
def texts() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return every text of the screens, by section, code and language."""
    raw = resources.files("config").joinpath("texts.toml").read_text(encoding="utf-8")
    return tomllib.loads(raw)


def language_of(request: Request) -> str:
    """Return the language that was chosen; else the browser's; else Dutch."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "")
    wanted = [part.split(";")[0].strip()[:2].lower() for part in accepted.split(",")]
    return next((code for code in wanted if code in LANGUAGES), LANGUAGES[0])


def translator(language: str) -> Translate:
    """Return ``t(section, code)``; a code without a text shows as itself."""

    def translate(section: str, code: str) -> str:
        text = texts().get(section, {}).get(code)
        return code.replace("_", " ") if text is None else text[language]

    return translate


def number(value: float, digits: int, language: str) -> str:
    """Return a number with the language's decimal sign."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "nl" else text

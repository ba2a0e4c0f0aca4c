"""Nameplates by maker and model, as people type them: exact, or not at all.

A fuzzy score does not tell a right match from a wrong one, so a module is taken only where
maker, power and model agree; what is merely similar is offered, and a person chooses.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from grading.values import Nameplate

NUMBERS = ("p_mp", "area", "i_sc", "v_oc", "i_mp", "v_mp", "alpha_sc", "beta_voc", "gamma_pmp")
SAME = 0.02  # modules whose ratings differ less than this are one for grading


class UnknownModule(LookupError):
    """No module, or more than one, goes by this name; ``suggestions`` may be meant."""

    def __init__(self, text: str, suggestions: Sequence[str]) -> None:
        near = f" Did you mean {'; '.join(suggestions)}?" if suggestions else ""
        super().__init__(f"No module is known as {text!r}.{near} Enter its nameplate by hand.")
        self.suggestions = tuple(suggestions)


@dataclass(frozen=True, slots=True)
class _Entry:
    makers: frozenset[str]
    model: str
    plate: Nameplate

    @property
    def name(self) -> str:
        return f"{self.plate.maker} {self.plate.model}"


def find(text: str, local: Path | None = None) -> Nameplate:
    """Return the nameplate of ``"MAKER MODEL"``.

    Args:
        text: as printed or typed; case, spaces and dashes do not matter.
        local: a site's own list; it goes before the one that ships.

    Raises:
        UnknownModule: no module, or several different ones, fit.
    """
    maker, model = _split(text)
    makers, wanted = _words(maker), _plain(model)
    for index in ([_read_local(local)] if local else []) + [_shipped()]:
        exact = [e for e in index.get(wanted, []) if not makers or makers & e.makers]
        if exact and _alike(exact):
            return exact[0].plate
    family = _family(wanted, makers)
    if family and _alike(family):
        return family[0].plate
    raise UnknownModule(text, [entry.name for entry in family[:5]])


def _family(wanted: str, makers: frozenset[str]) -> list[_Entry]:
    """Return the maker's modules whose model begins with what was typed, power included."""
    if len(wanted) < 5 or not makers or not re.search(r"\d{3}", wanted):
        return []
    entries = (e for group in _shipped().values() for e in group)
    return [e for e in entries if makers & e.makers and e.model.startswith(wanted)]


def _alike(entries: list[_Entry]) -> bool:
    """Whether all entries are one module as far as grading goes."""
    first = entries[0].plate
    return all(
        entry.plate.cells_in_series == first.cells_in_series
        and all(
            abs(getattr(entry.plate, name) / getattr(first, name) - 1) < SAME
            for name in ("p_mp", "i_sc", "v_oc")
        )
        for entry in entries
    )


def _plain(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower())


def _words(maker: str) -> frozenset[str]:
    words = frozenset(re.findall(r"[0-9a-z]+", maker.lower()))
    return words - {"solar", "power", "energy", "inc", "co", "ltd", "gmbh", "corporation", "the"}


def _split(name: str) -> tuple[str, str]:
    """Part maker and model: the model begins at the first later word with a digit in it."""
    words = name.split()
    for index, word in enumerate(words[1:], start=1):
        if re.search(r"\d", word):
            return " ".join(words[:index]), " ".join(words[index:])
    return " ".join(words[:-1]), " ".join(words[-1:])


@cache
def _shipped() -> dict[str, list[_Entry]]:
    packed = resources.files(__name__).joinpath("cec.csv.gz").read_bytes()
    return _index(gzip.decompress(packed).decode().splitlines())


def _read_local(path: Path) -> dict[str, list[_Entry]]:
    return _index(path.read_text(encoding="utf-8").splitlines())


def _index(lines: Iterable[str]) -> dict[str, list[_Entry]]:
    index: dict[str, list[_Entry]] = defaultdict(list)
    for row in csv.DictReader(lines):
        maker, model = _split(row["name"])
        numbers: dict[str, Any] = {key: float(row[key]) for key in NUMBERS if row[key]}
        plate = Nameplate(
            maker=maker, model=model, cells_in_series=int(float(row["cells_in_series"])), **numbers
        )
        entry = _Entry(_words(maker), _plain(model), plate)
        index[entry.model].append(entry)
    return index

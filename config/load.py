"""Reading the configuration: what ships with the product, and a site's own over it.

A site gives a folder (``--config DIR``) with the files that it wants other than shipped:
``station.toml``, ``rules.toml``, ``prices.toml``, ``uncertainty.toml``, ``calibration.toml``
with the frames that it names, ``site.toml``, ``nameplates.csv``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import TypeVar

from config.settings import StationSettings
from evidence.errors import EvidenceError
from evidence.images import decode_image
from evidence.store import hash_bytes
from evidence.toml import parse, parse_text
from grading.calibration import Calibration, Register
from grading.calibration import faults as calibration_faults
from grading.errors import RuleError
from grading.features import UNITS
from grading.rules import RuleBook, faults
from grading.uncertainty import Budget
from grading.value import PriceList
from grading.values import ImageArray, RuleSource

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who tests, as it stands on every report; ``url`` is where others reach the pages."""

    name: str
    address: str
    url: str = ""


SHIPPED = {
    "station.toml": "station.toml",
    "rules.toml": "rules/second_life.toml",
    "prices.toml": "prices.toml",
    "uncertainty.toml": "uncertainty.toml",
    "calibration.toml": "calibration.toml",
    "site.toml": "site.toml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingConfig:
    """What a verdict depends on besides the evidence."""

    rules: RuleBook
    rule_source: RuleSource
    prices: PriceList
    budget: Budget
    calibrations: Register
    frames: Mapping[str, ImageArray]


def load_grading(
    site: Path | None = None, instead: Mapping[str, Path] | None = None
) -> GradingConfig:
    """Load rules, prices, budget and the register of calibrations.

    Args:
        site: a site's own folder.
        instead: single files that go before those of the folder, by name (``rules.toml``).

    Raises:
        EvidenceError: a file cannot be read, or has an unknown or missing key.
        RuleError: the rules are incomplete, contradict each other, or could pass an unsound
            measurement; a grade has no price; or the register contradicts itself.
    """
    files = {name: _source(name, site) for name in SHIPPED} | dict(instead or {})
    text = _bytes(files["rules.toml"])
    rules = parse(RuleBook, parse_text(_text(text, "rules.toml"), "rules.toml"), "rules.toml")
    prices = _parsed(PriceList, "prices.toml", files["prices.toml"])
    wrong = list(faults(rules, UNITS))
    wrong += [f"grade {g.name} has no price" for g in rules.grades if g.name not in prices.per_watt]
    if wrong:
        raise RuleError(
            "rules", f"{rules.name} {rules.version}: {'; '.join(wrong)}.", "Correct the rule file."
        )
    budget = _parsed(Budget, "uncertainty.toml", files["uncertainty.toml"])
    calibrations = _calibrations(budget, files["calibration.toml"])
    return GradingConfig(
        rules=rules,
        rule_source=RuleSource(
            name=rules.name, version=rules.version, sha256=hashlib.sha256(text).hexdigest()
        ),
        prices=prices,
        budget=budget,
        calibrations=calibrations,
        frames=_frames(calibrations, site),
    )


def _calibrations(budget: Budget, file: Path | Traversable) -> Register:
    register = _parsed(Register, "calibration.toml", file)
    if wrong := list(calibration_faults(register, budget)):
        raise RuleError(
            "calibrations", f"calibration.toml: {'; '.join(wrong)}.", "Correct the register."
        )
    return register


def _frames(register: Register, site: Path | None) -> Mapping[str, ImageArray]:
    return {c.id: _frame(c, site) for c in register.calibrations if c.frame is not None}


def _frame(calibration: Calibration, site: Path | None) -> ImageArray:
    name = calibration.frame or ""
    try:
        raw = ((site or Path()) / name).read_bytes()
    except OSError as error:
        raise EvidenceError(
            "missing",
            f"The frame {name} of calibration {calibration.id} cannot be read: {error}.",
            "Restore it from the backup.",
        ) from error
    if hash_bytes(name, raw).sha256 != calibration.sha256:
        raise EvidenceError(
            "changed",
            f"{name} is not the frame that calibration {calibration.id} names.",
            "Restore it; enter a new frame as a new calibration.",
        )
    return decode_image(raw, name)


def load_site(site: Path | None = None) -> Site:
    """Load who tests here; raises EvidenceError."""
    return _parsed(Site, "site.toml", _source("site.toml", site))


def own_nameplates(site: Path | None) -> Path | None:
    """Return a site's own list of modules, where it has one."""
    own = None if site is None else site / "nameplates.csv"
    return own if own is not None and own.exists() else None


def load_station(site: Path | None = None) -> StationSettings:
    """Load the settings of station and devices; raises EvidenceError."""
    return _parsed(StationSettings, "station.toml", _source("station.toml", site))


def _parsed(cls: type[T], name: str, file: Path | Traversable) -> T:
    return parse(cls, parse_text(_text(_bytes(file), name), name), name)


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(
            "unreadable", f"{name} is not UTF-8: {error}.", "Save it as UTF-8."
        ) from error


def _bytes(file: Path | Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise EvidenceError("unreadable", f"{file} cannot be read: {error}.", "Name it.") from error


def _source(name: str, site: Path | None) -> Path | Traversable:
    if site is not None:
        if not site.is_dir():
            raise EvidenceError(
                "no_folder", f"The configuration folder {site} does not exist.", "Name another."
            )
        if (site / name).exists():
            return site / name
    return resources.files("config").joinpath(SHIPPED[name])

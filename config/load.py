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


def load_grading(site: Path | None = None) -> GradingConfig:
    """Load rules, prices, budget and the register of calibrations.

    Raises:
        EvidenceError: a file cannot be read, or has an unknown or missing key.
        RuleError: the rules are incomplete, contradict each other, or could pass an unsound
            measurement; a grade has no price; or the register contradicts itself.
    """
    text = _source("rules.toml", site).read_bytes()
    rules = parse(RuleBook, parse_text(text.decode(), "rules.toml"), "rules.toml")
    prices = _load(PriceList, "prices.toml", site)
    wrong = list(faults(rules, UNITS))
    wrong += [f"grade {g.name} has no price" for g in rules.grades if g.name not in prices.per_watt]
    if wrong:
        raise RuleError(
            "rules", f"{rules.name} {rules.version}: {'; '.join(wrong)}.", "Correct the rule file."
        )
    budget = _load(Budget, "uncertainty.toml", site)
    calibrations = load_calibrations(budget, site)
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


def load_calibrations(budget: Budget, site: Path | None = None) -> Register:
    """Load the register of calibrations; raises EvidenceError, or RuleError where it is wrong."""
    register = _load(Register, "calibration.toml", site)
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
    return _load(Site, "site.toml", site)


def own_nameplates(site: Path | None) -> Path | None:
    """Return a site's own list of modules, where it has one."""
    own = None if site is None else site / "nameplates.csv"
    return own if own is not None and own.exists() else None


def load_station(site: Path | None = None) -> StationSettings:
    """Load the settings of station and devices; raises EvidenceError."""
    text = _source("station.toml", site).read_text(encoding="utf-8")
    return parse(StationSettings, parse_text(text, "station.toml"), "station.toml")


def _load(cls: type[T], name: str, site: Path | None) -> T:
    return parse(cls, parse_text(_source(name, site).read_text(encoding="utf-8"), name), name)


def _source(name: str, site: Path | None) -> Path | Traversable:
    if site is not None:
        if not site.is_dir():
            raise EvidenceError(
                "no_folder", f"The configuration folder {site} does not exist.", "Name another."
            )
        if (site / name).exists():
            return site / name
    return resources.files("config").joinpath(SHIPPED[name])

"""Reading the configuration: what ships with the product, and a site's own over it.

A site gives a folder (``--config DIR``) with the files that it wants other than shipped:
``station.toml``, ``rules.toml``, ``prices.toml``, ``uncertainty.toml``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import TypeVar

from config.settings import StationSettings
from evidence.errors import EvidenceError
from evidence.toml import parse, parse_text
from grading.errors import RuleError
from grading.features import UNITS
from grading.rules import RuleBook, faults
from grading.uncertainty import Budget
from grading.value import PriceList
from grading.values import RuleSource

T = TypeVar("T")

SHIPPED = {
    "station.toml": "station.toml",
    "rules.toml": "rules/second_life.toml",
    "prices.toml": "prices.toml",
    "uncertainty.toml": "uncertainty.toml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingConfig:
    """What a verdict depends on besides the evidence."""

    rules: RuleBook
    rule_source: RuleSource
    prices: PriceList
    budget: Budget


def load_grading(site: Path | None = None) -> GradingConfig:
    """Load rules, prices and budget.

    Raises:
        EvidenceError: a file cannot be read, or has an unknown or missing key.
        RuleError: the rules are incomplete, contradict each other, or could pass an unsound
            measurement; or a grade has no price.
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
    return GradingConfig(
        rules=rules,
        rule_source=RuleSource(
            name=rules.name, version=rules.version, sha256=hashlib.sha256(text).hexdigest()
        ),
        prices=prices,
        budget=_load(Budget, "uncertainty.toml", site),
    )


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

"""What a panel is still worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grading.feature import Feature
from grading.values import ResidualValue


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices per watt of measured power, by grade; None for a panel without a grade is scrap."""

    name: str
    version: str
    currency: str
    per_watt: Mapping[str, float]
    scrap: float  # per panel; negative where recycling costs money
    source: str = ""


def residual_value(
    prices: PriceList, grade: str | None, features: Mapping[str, Feature]
) -> ResidualValue | None:
    """Return the value of a panel, or None where its power at STC is not known."""
    power = _number(features, "p_mp_stc")
    if power is None:
        return None
    amount = prices.scrap if grade is None else power * prices.per_watt[grade]
    return ResidualValue(
        amount=round(amount, 2),
        currency=prices.currency,
        power=power,
        nameplate_ratio=_number(features, "nameplate_ratio"),
        age_ratio=_number(features, "age_ratio"),
        price_list=f"{prices.name} {prices.version}",
    )


def _number(features: Mapping[str, Feature], name: str) -> float | None:
    feature = features.get(name)
    return None if feature is None else float(feature.value)

"""An old register, row by row: what is believed of it, and what is wrong with the rest.

A register says what was decided, not how it was measured. So an imported verdict has no evidence,
names the register instead of a rule file, and carries the reason ``imported``: it can be found and
counted, and cannot be taken for one of ours. The columns are those of ``zonkeur export``, so what
was exported can be imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grading.values import (
    BypassSteps,
    GradeReport,
    IVResult,
    KeyFigures,
    Nameplate,
    Outcome,
    PanelIdentity,
    RuleFinding,
    RuleSource,
    STCFigures,
)

IMPORTED = "imported"
CURVE = ("i_sc", "v_oc", "i_mp", "v_mp", "p_mp")
Amount = Annotated[float, Field(gt=0, lt=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=80)]


class RegisterRow(BaseModel):
    """One row. Figures are at standard test conditions [A, V, W]; ``rated_p_mp`` is the label's."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    panel_id: Text
    measured_at: datetime
    verdict: Outcome
    inspection_id: Text | None = None
    serial: Text | None = None
    lot: Text | None = None
    maker: Text | None = None
    model: Text | None = None
    year: Annotated[int, Field(ge=1970, le=2100)] | None = None
    rated_p_mp: Amount | None = None
    p_mp: Amount | None = None
    i_sc: Amount | None = None
    v_oc: Amount | None = None
    i_mp: Amount | None = None
    v_mp: Amount | None = None
    grade: Text | None = None
    destination: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unknown(cls, values: Any) -> Any:
        return {k: v for k, v in values.items() if v is not None and str(v).strip()}

    @field_validator("measured_at")
    @classmethod
    def _in_utc(cls, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    @model_validator(mode="after")
    def _figures_agree(self) -> RegisterRow:
        if self.p_mp and self.i_mp and self.v_mp:
            product = self.i_mp * self.v_mp
            if abs(product - self.p_mp) > 0.02 * self.p_mp:
                raise ValueError(f"p_mp {self.p_mp:g} W is not i_mp times v_mp, {product:.1f} W")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be imported, and every reason why. ``number`` is the file's own line."""

    number: int
    reasons: tuple[str, ...]


def read_register(
    rows: Iterable[tuple[int, Mapping[str, Any]]], source: RuleSource
) -> Iterator[GradeReport | BadRow]:
    """Yield for each row its report, or what is wrong with it.

    Args:
        rows: line number and columns of each.
        source: the register: its name, and the SHA-256 of the file.
    """
    seen: dict[str, int] = {}
    for number, columns in rows:
        try:
            row = RegisterRow.model_validate(dict(columns))
        except ValidationError as error:
            yield BadRow(number=number, reasons=tuple(_says(wrong) for wrong in error.errors()))
            continue
        report = _report(row, source)
        if report.inspection_id in seen:
            first = f"the same inspection stands in line {seen[report.inspection_id]}"
            yield BadRow(number=number, reasons=(first,))
            continue
        seen[report.inspection_id] = number
        yield report


def _says(wrong: Any) -> str:
    where = ".".join(str(part) for part in wrong["loc"])
    text = f"{where}: {wrong['msg']}" if where else str(wrong["msg"])
    return f"{text} ({wrong['input']!r})" if isinstance(wrong["input"], (str, int, float)) else text


def _report(row: RegisterRow, source: RuleSource) -> GradeReport:
    measured_at = row.measured_at.isoformat()
    plate = Nameplate(maker=row.maker, model=row.model, p_mp=row.rated_p_mp, year=row.year)
    panel = PanelIdentity(panel_id=row.panel_id, serial=row.serial, lot=row.lot, nameplate=plate)
    return GradeReport(
        inspection_id=row.inspection_id or _name(row.panel_id, measured_at),
        panel=panel,
        measured_at=measured_at,
        verdict=row.verdict,
        grade=row.grade,
        destination=row.destination or "unknown",
        reasons=(IMPORTED,),
        findings=tuple(_power(row)),
        value=None,
        iv=_figures(row),
        el=None,
        rules=source,
        evidence=(),
        instruments=(),
        software_version=IMPORTED,
    )


def _name(panel_id: str, measured_at: str) -> str:
    """The same row again, from whatever file, is the same inspection."""
    digest = hashlib.sha256(f"{panel_id}\n{measured_at}".encode()).hexdigest()
    return f"imported-{digest[:20]}"


def _figures(row: RegisterRow) -> IVResult | None:
    """Key figures, where the register has all of them; nothing is guessed."""
    known = {name: getattr(row, name) for name in CURVE}
    if any(value is None for value in known.values()):
        return None
    known["fill_factor"] = known["p_mp"] / (known["i_sc"] * known["v_oc"])
    return IVResult(
        measured=KeyFigures(**known), model=None, steps=BypassSteps(), stc=STCFigures(**known)
    )


def _power(row: RegisterRow) -> Iterator[RuleFinding]:
    if row.p_mp is not None:
        yield RuleFinding(
            rule=IMPORTED,
            feature="p_mp",
            value=row.p_mp,
            expanded_uncertainty=None,
            unit="W",
            limit="",
            outcome=row.verdict,
            reason=IMPORTED,
        )

"""What the I-V curve says, at standard test conditions."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature
from grading.values import IVResult, Nameplate, Severity, STCFigures

# Median loss of power of c-Si modules, 1/a: Jordan, Kurtz et al., Prog. Photovolt. 24 (2016) 978.
MEDIAN_AGEING = 0.006

UNITS: dict[str, str | None] = {
    "iv_fault": None,
    "p_mp_stc": "W",
    "i_sc_stc": "A",
    "v_oc_stc": "V",
    "fill_factor_stc": "1",
    "nameplate_ratio": "1",
    "i_sc_ratio": "1",
    "v_oc_ratio": "1",
    "age_ratio": "1",
    "bypass_steps": "1",
    "current_limited": None,
}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield the figures, and their ratios to the nameplate and to what the age predicts."""
    yield Feature(name="iv_fault", value=_fault(analysed))
    if analysed.iv is None:
        return
    yield Feature(name="bypass_steps", value=float(analysed.iv.steps.count), unit="1")
    limited = any(finding.code == "current_limited" for finding in analysed.iv.findings)
    yield Feature(name="current_limited", value=limited)
    stc = analysed.iv.stc
    if stc is None:
        return
    yield Feature(name="p_mp_stc", value=stc.p_mp, unit="W", u=stc.u_p_mp)
    yield Feature(name="i_sc_stc", value=stc.i_sc, unit="A", u=stc.u_i_sc)
    yield Feature(name="v_oc_stc", value=stc.v_oc, unit="V", u=stc.u_v_oc)
    yield Feature(name="fill_factor_stc", value=stc.fill_factor, unit="1", u=stc.u_fill_factor)
    yield from _ratios(stc, analysed.evidence.panel.nameplate, analysed.year_measured)


def _ratios(stc: STCFigures, plate: Nameplate, year: int | None) -> Iterator[Feature]:
    pairs = (
        ("nameplate_ratio", stc.p_mp, stc.u_p_mp, plate.p_mp),
        ("i_sc_ratio", stc.i_sc, stc.u_i_sc, plate.i_sc),
        ("v_oc_ratio", stc.v_oc, stc.u_v_oc, plate.v_oc),
    )
    for name, value, u, rated in pairs:
        if rated:
            yield Feature(
                name=name, value=value / rated, unit="1", u=None if u is None else u / rated
            )
    if plate.p_mp and plate.year is not None and year is not None:
        expected = plate.p_mp * (1 - MEDIAN_AGEING * max(year - plate.year, 0))
        u = None if stc.u_p_mp is None else stc.u_p_mp / expected
        yield Feature(name="age_ratio", value=stc.p_mp / expected, unit="1", u=u)


def _fault(analysed: Analysed) -> str:
    """Return why the curve cannot be trusted, or ``none``."""
    if analysed.iv is None:
        return analysed.iv_fault
    return _first_error(analysed.iv) or ("none" if analysed.iv.stc else "no_conditions")


def _first_error(result: IVResult) -> str | None:
    errors = (f.code for f in result.findings if f.severity is Severity.ERROR)
    return next(errors, None)

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_grading
from grading.calibration import (
    Calibration,
    Register,
    budget_under,
    corrected,
    faults,
    state_at,
    valid_for,
)
from grading.uncertainty import Budget, Component
from grading.values import (
    CalibrationKind,
    ELImage,
    Evidence,
    Instrument,
    IVCurve,
    PanelIdentity,
    SafetyRecord,
)

KIND = CalibrationKind
START = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET = Budget(name="b", version="1", components=(Component(name="reference module", u=0.02),))


def instrument(role="tester", serial="T1"):
    return Instrument(role=role, maker="m", model="x", serial=serial, firmware="1")


def calibration(kind=KIND.MONITOR_CELL, *, start=0, days=365, **other):
    """One that begins ``start`` days after START."""
    begins = START + timedelta(days=start)
    return Calibration(
        **{
            "id": f"{kind.value}@{start}",
            "kind": kind,
            "instrument": "T1",
            "certificate": "K-1",
            "issued_by": "lab",
            "valid_from": begins,
            "valid_until": begins + timedelta(days=days),
            **other,
        }
    )


def evidence(day=10, **other):
    return Evidence(
        **{
            "inspection_id": "i",
            "panel": PanelIdentity(panel_id="P"),
            "instruments": (instrument(),),
            "measured_at": (START + timedelta(days=day)).isoformat(),
            **other,
        }
    )


def register(*calibrations, **required):
    return Register(
        calibrations=calibrations, required=required or {"tester": (KIND.MONITOR_CELL,)}
    )


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6, unique=True), st.integers(0, 400))
def test_the_last_that_had_begun_counts(starts, day):
    valid = valid_for(evidence(day), register(*(calibration(start=s, days=1000) for s in starts)))
    begun = [s for s in starts if s <= day]
    assert [c.id for c in valid.used] == [f"monitor_cell@{max(begun)}" for _ in begun[:1]]
    assert valid.fault == ("none" if begun else "monitor_cell_missing")


@pytest.mark.parametrize(
    ("day", "fault"),
    [(-1, "monitor_cell_missing"), (0, "none"), (364, "none"), (365, "monitor_cell_expired")],
)
def test_validity_begins_with_its_first_moment_and_ends_before_its_last(day, fault):
    assert valid_for(evidence(day), register(calibration())).fault == fault


def test_a_newer_calibration_that_has_expired_does_not_bring_the_older_back():
    older, newer = calibration(days=1000), calibration(start=50, days=10)
    valid = valid_for(evidence(100), register(older, newer))
    assert (valid.used, valid.fault) == ((), "monitor_cell_expired")


@pytest.mark.parametrize(
    ("flashes", "fault"), [(1000, "none"), (1001, "lamp_worn"), (None, "none")]
)
def test_a_lamp_ends_with_its_flashes(flashes, fault):
    lamp = register(calibration(KIND.LAMP, max_flashes=1000), tester=(KIND.LAMP,))
    assert valid_for(evidence(lamp_flashes=flashes), lamp).fault == fault


def test_another_instruments_calibration_does_not_count():
    assert valid_for(evidence(), register(calibration(instrument="T2"))).fault == (
        "monitor_cell_missing"
    )


def test_without_a_time_nothing_is_known_to_have_been_valid():
    assert valid_for(evidence(measured_at=None), register(calibration())).fault == (
        "measured_at_unknown"
    )


def test_what_no_role_requires_is_used_where_there_is_one_and_no_fault_where_not():
    free = Register(calibrations=(calibration(),))
    assert [c.id for c in valid_for(evidence(), free).used] == ["monitor_cell@0"]
    assert valid_for(evidence(900), free).fault == "none"


def test_the_verdict_names_the_whole_chain_of_traceability():
    lab = calibration(KIND.REFERENCE_MODULE, instrument="RM", certificate="LAB-7")
    cell = calibration(traceable_to=lab.id)
    named = valid_for(evidence(), register(lab, cell)).named()
    assert [(use.kind, use.certificate) for use in named] == [
        (KIND.MONITOR_CELL, "K-1"),
        (KIND.REFERENCE_MODULE, "LAB-7"),
    ]


def test_a_record_that_is_changed_later_has_another_digest():
    assert calibration().digest == calibration().digest
    assert calibration().digest != calibration(gain=1.000001).digest


def test_readings_are_corrected_each_by_its_own_instrument():
    curve = IVCurve(
        voltage=np.array([0.0, 20.0, 40.0]),
        current=np.array([9.0, 8.0, 0.0]),
        irradiance=np.array([1000.0, 999.0, 998.0]),
        temperature=24.0,
    )
    measured = evidence(
        curves=(curve,),
        image=ELImage(pixels=np.zeros((4, 6), np.uint16), current=8.0),
        safety=SafetyRecord(insulation_resistance=500.0),
        instruments=(
            instrument(),
            instrument("source", "S1"),
            instrument("camera", "C1"),
            instrument("insulation", "R1"),
        ),
    )
    known = Register(
        calibrations=(
            calibration(KIND.MONITOR_CELL, gain=1.01),
            calibration(KIND.TEMPERATURE_SENSOR, offset=0.7),
            calibration(KIND.VOLTAGE, gain=1.002),
            calibration(KIND.CURRENT, gain=0.99, id="tester's"),
            calibration(KIND.CURRENT, gain=1.5, instrument="S1", id="source's"),
            calibration(KIND.INSULATION, gain=0.9, instrument="R1"),
            calibration(KIND.FLAT_FIELD, instrument="C1", frame="flat.png", id="flat"),
            calibration(KIND.DARK_FRAME, instrument="C1", frame="dark.png", id="dark"),
            calibration(KIND.CAMERA_GEOMETRY, instrument="C1", k1=-0.03),
        )
    )
    frames = {"flat": np.full((4, 6), 9, np.uint16), "dark": np.zeros((8, 8), np.uint16)}
    true = corrected(measured, valid_for(measured, known), frames)
    (got,) = true.curves
    np.testing.assert_allclose(got.irradiance, 1.01 * curve.irradiance)
    np.testing.assert_allclose(got.voltage, 1.002 * curve.voltage)
    np.testing.assert_allclose(got.current, 0.99 * curve.current)
    assert got.temperature == pytest.approx(24.7)
    assert true.image.current == pytest.approx(12.0)
    assert (true.image.flat == 9).all()
    assert true.image.dark is None, "a frame of another size is no frame of this picture"
    assert true.image.lens_k1 == -0.03
    assert true.safety.insulation_resistance == pytest.approx(450.0)
    assert measured.curves[0] is curve, "the evidence stays as it was measured"


def test_a_picture_keeps_the_dark_frame_that_was_taken_with_it():
    own = np.full((4, 6), 3, np.uint16)
    measured = evidence(
        image=ELImage(pixels=np.zeros((4, 6), np.uint16), dark=own),
        instruments=(instrument("camera"),),
    )
    known = Register(calibrations=(calibration(KIND.DARK_FRAME, frame="f", id="f"),))
    true = corrected(measured, valid_for(measured, known), {"f": np.zeros((4, 6), np.uint16)})
    np.testing.assert_array_equal(true.image.dark, own)


def test_a_certificate_sets_its_line_of_the_budget():
    known = register(calibration(u=0.005, component="reference module"))
    under = budget_under(valid_for(evidence(), known), BUDGET)
    assert [c.u for c in under.components] == [0.005]
    assert budget_under(valid_for(evidence(900), known), BUDGET) == BUDGET


@pytest.mark.parametrize(
    ("calibrations", "says"),
    [
        ((calibration(), calibration()), "same id"),
        ((calibration(days=0),), "ends before it begins"),
        ((calibration(gain=-1.0),), "must be positive"),
        ((calibration(component="moon"),), "no line of the budget"),
        ((calibration(traceable_to="x"),), "not in the register"),
        (
            (
                calibration(KIND.REFERENCE_MODULE, days=5, id="lab"),
                calibration(start=9, traceable_to="lab"),
            ),
            "when lab was not valid",
        ),
        ((calibration(KIND.FLAT_FIELD),), "names no frame"),
        ((calibration(KIND.CAMERA_GEOMETRY),), "gives no k1"),
    ],
)
def test_what_is_wrong_with_a_register_is_said(calibrations, says):
    (fault,) = faults(Register(calibrations=calibrations), BUDGET)
    assert says in fault


def test_the_shipped_register_knows_every_simulated_device_that_needs_one():
    shipped = load_grading().calibrations
    simulated = (instrument("tester", "SF-0001"), instrument("insulation", "SI-0001"))
    valid = valid_for(evidence(instruments=simulated), shipped)
    assert valid.fault == "none"
    assert {role for role, _ in valid.applied} == set(shipped.required)
    assert valid_for(evidence(), shipped).fault == "monitor_cell_missing"


def test_the_state_of_each_entry():
    first, second, third = calibration(), calibration(start=100), calibration(start=800)
    known = Register(calibrations=(first, second, third))
    states = [
        state_at(c, known, START + timedelta(days=d))
        for c in (first, second, third)
        for d in (50, 200, 700)
    ]
    assert states == [
        *("valid", "superseded", "superseded"),
        *("not_yet", "valid", "expired"),
        *("not_yet", "not_yet", "not_yet"),
    ]


def test_times_without_a_zone_are_utc():
    naive = replace(calibration(), valid_from=datetime(2026, 1, 1))  # noqa: DTZ001
    assert naive.valid_from == START

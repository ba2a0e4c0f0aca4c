"""Panels travel the whole line, over real Modbus, serial and TCP links."""

import contextlib
import itertools
from dataclasses import replace

import pytest

from api.records import Filters
from evidence.folder import read_evidence
from evidence.store import verify
from grading.values import Outcome
from simulators.population import Condition, make_panel
from simulators.replay import replay
from station.journal import Journal
from station.ports import CommandRefused, LineCommand, LineState, Phase, SafetyTest

pytestmark = pytest.mark.line


async def test_a_really_measured_panel_from_intake_to_destination(make_bench):
    bench = await make_bench(next(replay()))
    panel, inspection_id = await bench.bring()
    record = await bench.finish(panel, inspection_id)
    report = record.report
    assert report.panel.panel_id == panel.panel_id
    assert report.panel.nameplate == panel.nameplate
    assert report.iv.stc.p_mp == pytest.approx(panel.nameplate.p_mp, rel=0.25)
    assert (report.el.layout.rows, report.el.layout.columns) in ((4, 9), (9, 4))
    assert report.verdict in (Outcome.PASS, Outcome.REJECT, Outcome.RETEST)

    folder = bench.folder / "evidence" / inspection_id
    assert verify(folder) == report.evidence
    stored = read_evidence(folder)
    up = next(c for c in stored.curves if c.sweep == "up")
    assert sorted(up.voltage) == pytest.approx(sorted(panel.curve.voltage), abs=1e-9)
    assert sorted(up.current) == pytest.approx(sorted(panel.curve.current), abs=1e-9)
    assert {i.role for i in report.instruments} >= {"tester", "camera", "source"}

    phases = [event.phase for event in record.history]
    assert list(dict.fromkeys(phases)) == [p.value for p in Phase][1:-2]
    (label,) = bench.line.printer.labels
    assert panel.panel_id in " ".join(label)


async def test_every_panel_gets_its_own_verdict(make_bench):
    conditions = [
        Condition.BROKEN_GLASS,
        Condition.SHORTED_DIODE,
        Condition.OPEN_DIODE,
        Condition.WEAK_INSULATION,
        Condition.LEAKS_WET,
        Condition.CELL_LOST,
    ]
    panels = [make_panel(n, condition=c) for n, c in enumerate(conditions, start=1)]
    bench = await make_bench(*panels)
    reasons = {}
    for expected in panels:
        panel, inspection_id = await bench.bring()
        assert panel is expected
        report = (await bench.finish(panel, inspection_id)).report
        assert report.panel.panel_id == expected.panel_id
        assert report.verdict is Outcome.REJECT
        reasons[expected.condition] = report.reasons
    assert reasons[Condition.BROKEN_GLASS] == ("visual_defect",)
    assert reasons[Condition.SHORTED_DIODE] == ("bypass_diode_failed",)
    assert reasons[Condition.OPEN_DIODE] == ("bypass_diode_failed",)  # the curve does not show it
    assert reasons[Condition.WEAK_INSULATION] == ("insulation_low", "wet_leakage_low")
    assert reasons[Condition.LEAKS_WET] == ("wet_leakage_low",)  # dry it is sound
    assert {"substring_lost_current"} <= set(reasons[Condition.CELL_LOST])
    washed = bench.station.snapshot().washer.panels_washed
    assert washed == 5  # the one with broken glass never got wet
    assert bench.station.snapshot().processed == 6


async def test_several_panels_at_once_keep_their_places(make_bench):
    panels = [make_panel(n, condition=Condition.SOUND) for n in range(1, 4)]
    bench = await make_bench(*panels)
    visits = []
    for _ in panels:
        panel, inspection_id = await bench.bring()
        visits.append((panel, inspection_id))
        await bench.until(lambda s, i=inspection_id: bench.phase(i, s) != Phase.INFEED)
    for panel, inspection_id in visits:
        record = await bench.finish(panel, inspection_id)
        assert record.report.panel.serial == panel.serial
        measured = read_evidence(bench.folder / "evidence" / inspection_id)
        own = panel.photograph(current=8.0)
        assert (measured.image.pixels == own).all()


async def test_another_panels_barcode_in_the_cabinet_stops_the_verdict(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    bench.answers["identity_mismatch"] = lambda: ["hold_panel"]
    bench.line.faults.once("wrong_barcode")
    panel, inspection_id = await bench.bring()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.verdict is Outcome.HOLD
    assert "identity_mismatch" in report.reasons
    assert report.iv is None
    assert report.el is None
    assert bench.flashes == 0


async def test_a_barcode_that_was_not_read_is_read_again(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))

    def scan_again():
        bench.line.scan_cabinet()
        return ["scan_again"]

    bench.answers["identity_mismatch"] = scan_again
    bench.line.faults.once("no_barcode")
    panel, inspection_id = await bench.bring()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is not None
    assert "identity_mismatch" not in report.reasons


async def test_nothing_flashes_with_the_door_open(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    panel, inspection_id = await bench.bring()
    await bench.reach(inspection_id, Phase.SAFETY)
    bench.line.world.door_closed = False
    stuck = await bench.until(lambda s: any(a.code == "InterlockOpen" for a in s.alarms))
    assert bench.phase(inspection_id, stuck) in (Phase.SAFETY, Phase.FLASH, Phase.EL)
    assert bench.flashes == 0
    assert bench.line.world.injected_current == 0
    bench.line.world.door_closed = True
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is not None
    assert bench.flashes >= 1
    assert not any(a.active for a in bench.station.snapshot().alarms)


@pytest.mark.parametrize("fault", ["corrupt", "truncate", "drop_reply"])
async def test_one_bad_answer_of_the_tester_is_measured_again(make_bench, fault):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    panel, inspection_id = await bench.bring()
    await bench.reach(inspection_id, Phase.SAFETY)
    bench.line.tester.faults.once(fault)
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv.stc is not None
    assert report.iv.stc.p_mp == pytest.approx(0.95 * panel.nameplate.p_mp, rel=0.06)


async def test_a_black_picture_never_passes(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    bench.answers["device_trouble"] = lambda: ["give_up"]
    bench.line.camera.faults.always("black")
    panel, inspection_id = await bench.bring()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.verdict in (Outcome.HOLD, Outcome.RETEST)
    assert report.el is None


def safety_tests(record):
    return [e.detail for e in record.history if e.phase == Phase.SAFETY and e.detail]


async def test_every_safety_test_is_a_step_and_evidence(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    panel, inspection_id = await bench.bring()
    await bench.until(
        lambda s: SafetyTest.WET_LEAKAGE in [v.step for v in s.visits if v.phase is Phase.SAFETY]
    )
    record = await bench.finish(panel, inspection_id)
    assert record.report.verdict is Outcome.PASS
    assert safety_tests(record) == list(SafetyTest)
    safety = read_evidence(bench.folder / "evidence" / inspection_id).safety
    assert safety.insulation_resistance == pytest.approx(
        panel.safety.insulation_resistance, rel=1e-3
    )
    assert safety.wet_leakage_resistance < safety.insulation_resistance
    assert safety.bypass_voltage == pytest.approx(1.5, abs=0.1)
    assert safety.bypass_current == pytest.approx(safety.bypass_test_current, rel=0.01)
    judged = {f.rule: f.outcome for f in record.report.findings}
    for rule in ("insulation", "wet_leakage", "ground_continuity", "bypass_diodes"):
        assert judged[rule] is Outcome.PASS


async def test_a_line_that_cannot_wet_a_panel_leaves_that_test_out(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND), start=False)
    bench.settings = replace(bench.settings, wet_leakage_duration=0.0, bypass_current_ratio=0.0)
    await bench.start_station()
    await bench.run_line()
    record = await bench.finish(*await bench.bring())
    assert record.report.verdict is Outcome.PASS
    assert safety_tests(record) == ["ground", "insulation"]
    assert {"wet_leakage", "bypass_diodes"}.isdisjoint(f.rule for f in record.report.findings)


@pytest.mark.parametrize("test", ["CONF:WET", "CONF:BYP"])
async def test_a_safety_test_that_the_line_should_make_and_cannot_holds_the_panel(make_bench, test):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    bench.answers["device_trouble"] = lambda: ["give_up"]
    bench.line.insulation.faults.always(f"spurious_error@{test}")
    record = await bench.finish(*await bench.bring())
    assert record.report.verdict is Outcome.HOLD
    assert "insulation_not_measured" in record.report.reasons


async def test_a_panel_that_stays_live_is_told_to_a_person_and_held(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND), start=False)
    bench.options = {"insulation": {"discharge_timeout": 0.5}}
    await bench.start_station()
    await bench.run_line()
    bench.line.insulation.faults.always("stays_charged")
    asked = []

    def answer():
        (alarm,) = (a for a in bench.station.snapshot().alarms if a.device == "insulation")
        asked.append((alarm.code, alarm.remedy))
        return ["give_up"]

    bench.answers["device_trouble"] = answer
    record = await bench.finish(*await bench.bring())
    assert record.report.verdict is Outcome.HOLD
    ((code, remedy),) = asked
    assert code == "PanelLive"
    assert "Do not touch" in remedy
    assert bench.flashes == 0  # nor is a live panel connected to anything else
    assert Phase.EL not in [event.phase for event in record.history]


async def test_a_measurement_that_is_given_up_never_passes(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    bench.answers["device_trouble"] = lambda: ["give_up"]
    panel, inspection_id = await bench.bring()
    await bench.reach(inspection_id, Phase.SAFETY)
    bench.line.tester.faults.always("nan_sample")
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is None
    assert report.verdict is Outcome.RETEST
    assert "curve_not_sound" in report.reasons


async def test_restarted_in_the_middle_every_panel_goes_on(make_bench):
    panels = [make_panel(n, condition=Condition.SOUND) for n in (1, 2)]
    bench = await make_bench(*panels)
    first = await bench.bring()
    await bench.reach(first[1], Phase.RINSE)
    second = await bench.bring()
    await bench.station.command(LineCommand.HOLD, by="test")
    await bench.stop_station()
    bench.answers["identity_mismatch"] = lambda: (bench.line.scan_cabinet(), ["scan_again"])[1]
    await bench.start_station()
    assert {v.inspection_id for v in bench.station.snapshot().visits} == {first[1], second[1]}
    await bench.run_line()
    for panel, inspection_id in (first, second):
        report = (await bench.finish(panel, inspection_id)).report
        assert report.panel.panel_id == panel.panel_id
        assert report.iv is not None
    assert len(bench.records.page(Filters()).items) == 2


async def test_killed_before_it_was_written_down_that_the_panel_was_let_in(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    bench.line.faults.once("no_barcode")
    panel, inspection_id = await bench.bring()
    await bench.until(lambda s: any(q.kind == "identity_mismatch" for q in s.questions))
    await bench.stop_station()
    with contextlib.closing(Journal(bench.folder / "journal.sqlite")) as journal:
        (saved,) = journal.open_visits()
        journal.save_visit(inspection_id, saved | {"phase": Phase.OUTFEED})
    bench.answers["identity_mismatch"] = lambda: (bench.line.scan_cabinet(), ["scan_again"])[1]
    await bench.start_station()
    await bench.run_line()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is not None
    assert not bench.station.snapshot().alarms


async def test_sealed_evidence_is_graded_after_a_restart_without_another_flash(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    whole = bench.grade

    def power_cut(evidence):
        raise RuntimeError("power cut")

    bench.grade = power_cut
    await bench.stop_station()
    await bench.start_station()
    await bench.run_line()
    panel, inspection_id = await bench.bring()
    await bench.until(lambda s: any(q.kind == "grading_trouble" for q in s.questions))
    flashes = bench.flashes
    await bench.stop_station()
    bench.grade = whole
    await bench.start_station()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is not None
    assert bench.flashes == flashes


async def test_an_emergency_stop_aborts_the_line_and_it_can_go_on(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND))
    panel, inspection_id = await bench.bring()
    await bench.reach(inspection_id, Phase.WASH)
    bench.line.washer.emergency_stop = True
    await bench.until(lambda s: s.state is LineState.ABORTED)
    assert bench.phase(inspection_id) is Phase.WASH
    bench.line.washer.emergency_stop = False
    await bench.until(lambda s: not s.washer.emergency_stop)
    await bench.run_line()
    report = (await bench.finish(panel, inspection_id)).report
    assert report.iv is not None


async def test_a_panel_that_nobody_announced_holds_the_line(make_bench):
    bench = await make_bench(make_panel(1))
    bench.line.washer.load(make_panel(99))
    held = await bench.until(lambda s: s.state is LineState.HELD)
    assert any(a.code == "unknown_panel" and a.device == "infeed" for a in held.alarms)


async def test_a_barcode_on_the_line_is_refused_at_the_intake(make_bench):
    bench = await make_bench(make_panel(1, condition=Condition.SOUND), make_panel(2))
    panel, inspection_id = await bench.bring()
    await bench.reach(inspection_id, Phase.WASH)
    with pytest.raises(CommandRefused, match="on the line already, at"):
        await bench.station.intake(panel.panel_id, by="test")
    with pytest.raises(CommandRefused, match="not a panel's barcode"):
        await bench.station.intake("../../etc/passwd\n", by="test")
    bench.line.intake_scanner.emit(panel.panel_id)
    await bench.until(lambda s: any(a.code == "scan_refused" for a in s.alarms))


async def test_a_records_service_that_is_away_loses_nothing(make_bench):
    from station.ports import RecorderUnavailable

    bench = await make_bench(make_panel(1, condition=Condition.BROKEN_GLASS), start=False)
    away = itertools.chain([True, True], itertools.repeat(False))

    class Sometimes:
        def record(self, report, history):
            if next(away):
                raise RecorderUnavailable("no answer")
            bench.records.record(report, history)

    bench.recorder = Sometimes()
    await bench.start_station()
    await bench.run_line()
    panel, inspection_id = await bench.bring()
    record = await bench.finish(panel, inspection_id)
    assert record.report.panel.panel_id == panel.panel_id
    assert bench.station.snapshot().outbox_depth == 0

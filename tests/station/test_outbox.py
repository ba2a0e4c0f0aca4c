import asyncio

import pytest

from grading.values import GradeReport, Outcome, PanelIdentity, RuleSource
from station.journal import Journal
from station.outbox import FIRST_WAIT, LONGEST_WAIT, Outbox, to_record
from station.ports import RecorderUnavailable, RecordRefused, VisitEvent


def report(name):
    return GradeReport(
        inspection_id=name,
        panel=PanelIdentity(panel_id=f"ZK-{name}"),
        measured_at="2026-11-23T10:00:00.000+00:00",
        verdict=Outcome.HOLD,
        grade=None,
        destination="hold",
        reasons=("nameplate_unknown",),
        findings=(),
        value=None,
        iv=None,
        el=None,
        rules=RuleSource(name="r", version="1", sha256="0" * 64),
        evidence=(),
        instruments=(),
        software_version="0",
    )


class Service:
    """A records service that can be away, or refuse."""

    def __init__(self):
        self.records = {}
        self.calls = 0
        self.away = 0
        self.refuse = set()

    def record(self, report, history):
        self.calls += 1
        if self.away:
            self.away -= 1
            raise RecorderUnavailable("no answer")
        if report.inspection_id in self.refuse:
            raise RecordRefused("a rule file that nobody knows")
        self.records.setdefault(report.inspection_id, (report, history))


class FastClock:
    """Waits no time, and remembers how long it was asked to."""

    def __init__(self):
        self.waits = []

    def now(self):
        return "2026-11-23T10:00:00.000+00:00"

    async def sleep(self, seconds):
        self.waits.append(seconds)


@pytest.fixture
async def bench(tmp_path):
    class Bench:
        def __init__(self):
            self.journal = Journal(tmp_path / "journal.sqlite")
            self.service, self.clock = Service(), FastClock()
            self.refused, self.recorded = [], []
            self.outbox = Outbox(
                self.journal,
                self.service,
                self.clock,
                lambda *args: self.refused.append(args),
                self.recorded.append,
            )

        def post(self, name):
            self.journal.save_visit(name, {})
            history = (VisitEvent(phase="grade", at="2026-11-23T10:00:00.000+00:00"),)
            self.journal.post(name, to_record(report(name), history), defective=False)
            self.outbox.wake()

    made = Bench()
    task = asyncio.create_task(made.outbox.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    made.journal.close()


async def test_delivered_means_that_the_service_has_it(bench):
    bench.post("a")
    await asyncio.wait_for(bench.outbox.delivered("a"), 5)
    assert bench.service.records["a"][0] == report("a")
    assert bench.service.records["a"][1][0].phase == "grade"
    assert bench.recorded == ["a"]
    assert bench.journal.outbox_depth() == 0


async def test_a_service_that_is_away_loses_nothing_and_is_asked_with_patience(bench):
    bench.service.away = 14
    bench.post("a")
    await asyncio.wait_for(bench.outbox.delivered("a"), 5)
    assert list(bench.service.records) == ["a"]
    assert bench.clock.waits[0] == FIRST_WAIT
    assert bench.clock.waits == sorted(bench.clock.waits)
    assert max(bench.clock.waits) == LONGEST_WAIT


async def test_a_refused_record_goes_to_quarantine_and_does_not_stop_the_others(bench):
    bench.service.refuse = {"a"}
    bench.post("a")
    bench.post("b")
    await asyncio.wait_for(bench.outbox.delivered("b"), 5)
    await asyncio.wait_for(bench.outbox.delivered("a"), 5)
    assert list(bench.service.records) == ["b"]
    assert bench.refused == [("a", "a rule file that nobody knows")]
    assert bench.journal.outbox_depth() == 1

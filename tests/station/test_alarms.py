"""Alarms after ISA-18.2: the table, the shelf, and the history that stays."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.alarms import KINDS, TRANSITIONS, AlarmEvent, AlarmState, kind_of
from station.board import Board
from station.clock import SystemClock
from station.journal import Journal
from station.ports import CommandRefused


class SetClock:
    """A time of day that the test moves; each wait lets the others run once."""

    def __init__(self):
        self.moment = datetime(2026, 11, 24, 14, 3, tzinfo=UTC)

    def now(self):
        return self.moment.isoformat(timespec="milliseconds")

    async def sleep(self, seconds):
        await asyncio.sleep(0)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
async def board(clock, journal):
    return Board(clock, journal.keep_alarm)


def low_tank(board, detail="The tank is at 9 %."):
    board.raise_alarm("tank_low", "washer", detail, "Fill it.")
    return "washer-tank_low"


@given(st.lists(st.sampled_from(["raise", "return", "acknowledge", "shelve", "unshelve"])))
def test_an_active_alarm_is_never_off_the_board_whatever_people_press(steps):
    async def press():
        board, active = Board(SystemClock()), False
        for step in steps:
            try:
                match step:
                    case "raise":
                        low_tank(board)
                        active = True
                    case "return":
                        board.clear_alarm("tank_low", "washer")
                        active = False
                    case "acknowledge":
                        board.acknowledge("washer-tank_low", "ann")
                    case "shelve":
                        board.shelve("washer-tank_low", 10, by="ann", reason="Ordered.")
                    case "unshelve":
                        board.unshelve("washer-tank_low", by="ann")
            except CommandRefused:
                pass
            assert [a.active for a in board.alarms if a.active] == [True] * active
        await asyncio.sleep(0)

    asyncio.run(press())


def test_every_state_is_reached_and_left():
    assert set(TRANSITIONS.values()) == set(AlarmState) == {state for state, _ in TRANSITIONS}


async def test_shelved_alarm_comes_back_when_its_time_is_over(board, clock):
    name = low_tank(board)
    board.shelve(name, 30, by="ann", reason="Water truck comes.")
    (alarm,) = board.alarms
    assert (alarm.state, alarm.shelved_by, alarm.shelved_why, alarm.active) == (
        "shelved", "ann", "Water truck comes.", True,
    )  # fmt: skip
    assert alarm.shelved_until == "2026-11-24T14:33:00.000+00:00"
    shelf = asyncio.create_task(board.watch_shelf())
    clock.moment += timedelta(minutes=29)
    for _ in range(5):
        await asyncio.sleep(0)
    assert board.alarms[0].state == "shelved"
    clock.moment += timedelta(minutes=1)
    for _ in range(5):
        await asyncio.sleep(0)
    (alarm,) = board.alarms
    assert (alarm.state, alarm.shelved_until, alarm.acknowledged) == ("unacknowledged", None, False)
    shelf.cancel()


async def test_cause_that_went_on_the_shelf_leaves_the_board_with_it(board):
    name = low_tank(board)
    board.shelve(name, 30, by="ann", reason="Water truck comes.")
    board.clear_alarm("tank_low", "washer")
    low_tank(board, "Again.")
    assert board.alarms[0].state == "shelved"
    board.clear_alarm("tank_low", "washer")
    board.unshelve(name, by="bo")
    assert board.alarms == ()


@pytest.mark.parametrize("code", [*(c for c, k in KINDS.items() if k.safety), "never_heard_of"])
async def test_safety_alarm_is_never_shelved(board, code):
    board.raise_alarm(code, "washer", "It is open.", "Close it.")
    with pytest.raises(CommandRefused, match="guards people"):
        board.shelve(f"washer-{code}", 1, by="ann", reason="In the way.")
    assert board.alarms[0].state == "unacknowledged"
    assert kind_of(code).priority == "high"


@pytest.mark.parametrize(("minutes", "reason"), [(0, "x"), (481, "x"), (10, "  ")])
async def test_shelf_has_a_time_and_a_reason(board, minutes, reason):
    name = low_tank(board)
    with pytest.raises(CommandRefused, match="say why"):
        board.shelve(name, minutes, by="ann", reason=reason)


async def test_what_happened_at_14_03_is_kept_after_a_restart(board, clock, journal, tmp_path):
    name = low_tank(board)
    board.acknowledge(name, "ann")
    clock.moment += timedelta(minutes=1)
    board.clear_alarm("tank_low", "washer")
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    at = again.alarms("2026-11-24T14:03:00.000+00:00", "2026-11-24T14:03:59.999+00:00")
    assert [(c.event, c.state, c.by, c.first_out) for c in at] == [
        (AlarmEvent.RAISE, AlarmState.UNACKNOWLEDGED, "station", True),
        (AlarmEvent.ACKNOWLEDGE, AlarmState.ACKNOWLEDGED, "ann", True),
    ]
    assert len(again.alarms("2026-11-24T14:03:00.000+00:00", "2026-11-25")) == 3
    again.close()


async def test_history_is_only_ever_added_to(board, journal, tmp_path):
    low_tank(board)
    with (
        sqlite3.connect(tmp_path / "journal.sqlite") as other,
        pytest.raises(sqlite3.DatabaseError),
    ):
        other.execute("UPDATE alarm SET by = 'nobody'")
    other.close()

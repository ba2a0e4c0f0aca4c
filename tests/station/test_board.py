import asyncio

import pytest

from drivers.errors import DeviceTimeout
from station.board import Answer, Board
from station.clock import SystemClock
from station.ports import CommandRefused


@pytest.fixture
async def board():
    return Board(SystemClock())


def answer(*choices):
    return Answer(choices=choices, by="ann", note=None)


async def ask(board, **kwargs):
    task = asyncio.create_task(board.ask("back_sheet", ("sound", "bent"), "Look.", **kwargs))
    await asyncio.sleep(0)
    return task, board.questions[-1].question_id


async def test_a_question_waits_for_its_answer(board):
    task, name = await ask(board)
    board.answer(name, answer("sound"))
    assert (await task).choices == ("sound",)
    assert board.questions == ()


@pytest.mark.parametrize("choices", [(), ("unknown",), ("sound", "bent")])
async def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays(board, choices):
    task, name = await ask(board)
    with pytest.raises(CommandRefused):
        board.answer(name, answer(*choices))
    assert len(board.questions) == 1
    task.cancel()


async def test_several_choices_where_the_question_takes_them(board):
    task, name = await ask(board, multiple=True)
    board.answer(name, answer("sound", "bent"))
    assert (await task).choices == ("sound", "bent")


async def test_two_operators_cannot_both_answer(board):
    task, name = await ask(board)
    board.answer(name, answer("sound"))
    with pytest.raises(CommandRefused, match="already"):
        board.answer(name, answer("bent"))
    assert (await task).choices == ("sound",)


async def test_an_alarm_stays_until_it_is_gone_and_acknowledged(board):
    error = DeviceTimeout("tester", "No answer.", "Check the cable.")
    board.raise_device_alarm(error)
    board.raise_device_alarm(error)
    (alarm,) = board.alarms
    assert (alarm.active, alarm.acknowledged) == (True, False)
    board.clear_device_alarms("tester")
    assert [a.active for a in board.alarms] == [False]
    board.acknowledge(alarm.alarm_id)
    assert board.alarms == ()
    with pytest.raises(CommandRefused):
        board.acknowledge(alarm.alarm_id)


async def test_a_slow_screen_skips_to_the_newest_state(board):
    changes = board.changes(lambda: board.sequence)
    first = await anext(changes)
    for _ in range(5):
        board.changed()
    assert await asyncio.wait_for(anext(changes), 5) == first + 5
    await changes.aclose()


async def test_first_alarm_of_a_row_keeps_its_mark(board):
    for device in ("washer", "tester", "camera"):
        board.raise_alarm("DeviceTimeout", device, "It did not answer.", "Look at its cable.")
    board.raise_alarm("DeviceTimeout", "washer", "It still does not.", "Look at its cable.")
    board.clear_alarm("DeviceTimeout", "washer")
    assert {a.device: a.first_out for a in board.alarms} == {
        "washer": True, "tester": False, "camera": False,
    }  # fmt: skip
    board.raise_alarm("DeviceTimeout", "washer", "Again.", "Look at its cable.")
    assert not any(a.first_out for a in board.alarms if a.active)


async def test_first_mark_is_given_anew_once_all_is_well(board):
    for device in ("washer", "tester"):
        board.raise_alarm("DeviceTimeout", device, "It did not answer.", "Look at its cable.")
    for device in ("washer", "tester"):
        board.clear_device_alarms(device)
    board.raise_alarm("DeviceTimeout", "tester", "It did not answer.", "Look at its cable.")
    assert [a.device for a in board.alarms if a.first_out and a.active] == ["tester"]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.packml import DONE, LineMachine
from station.ports import CommandRefused, LineCommand, LineState


def drive(*commands):
    machine = LineMachine()
    for command in commands:
        machine.command(LineCommand(command))
        machine.done()
    return machine


def test_the_usual_day():
    machine = LineMachine()
    seen = [machine.state]
    for command in ("reset", "start", "hold", "unhold", "stop"):
        seen += [machine.command(LineCommand(command)), machine.done()]
    assert seen == [
        LineState.STOPPED,
        LineState.RESETTING,
        LineState.IDLE,
        LineState.STARTING,
        LineState.EXECUTE,
        LineState.HOLDING,
        LineState.HELD,
        LineState.UNHOLDING,
        LineState.EXECUTE,
        LineState.STOPPING,
        LineState.STOPPED,
    ]


@pytest.mark.parametrize("state", [s for s in LineState if s not in ("aborting", "aborted")])
def test_abort_is_possible_from_everywhere(state):
    machine = LineMachine(state)
    assert machine.command(LineCommand.ABORT) is LineState.ABORTING
    assert machine.done() is LineState.ABORTED
    assert machine.allowed == (LineCommand.CLEAR,)


def test_a_refusal_says_what_is_possible():
    machine = drive("reset")
    with pytest.raises(CommandRefused, match=r"idle and cannot hold\. Possible now: start, stop"):
        machine.command(LineCommand.HOLD)
    assert machine.state is LineState.IDLE


@given(st.lists(st.sampled_from(LineCommand), max_size=30))
def test_execute_is_only_reached_by_start_or_unhold(commands):
    machine = LineMachine()
    for command in commands:
        before = machine.state
        try:
            machine.command(command)
        except CommandRefused:
            assert machine.state is before
            continue
        machine.done()
        assert machine.state not in DONE
        if machine.state is LineState.EXECUTE:
            assert command in (LineCommand.START, LineCommand.UNHOLD)

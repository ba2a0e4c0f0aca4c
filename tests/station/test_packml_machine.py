"""People and devices at the sequencer: whatever they do, the line moves only when somebody said so.

The machine gives commands in any order, also while an acting state is not done, and stops the work
of an acting state half-way as a restart does.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from station.packml import DONE, TRANSITIONS, LineMachine
from station.ports import CommandRefused, LineCommand, LineState

MOVING = {LineState.EXECUTE, LineState.STARTING, LineState.UNHOLDING, LineState.UNSUSPENDING}
STANDING = {LineState.STOPPED, LineState.IDLE, LineState.ABORTED, LineState.HELD}


class Sequencer(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.machine = LineMachine()
        self.wanted = False  # whether the last command that was taken lets the line move
        self.cleared = True  # after an abort: only by a person

    @rule(command=st.sampled_from(LineCommand))
    def say(self, command):
        before, may = self.machine.state, self.machine.allowed
        try:
            self.machine.command(command)
        except CommandRefused:
            assert command not in may
            assert self.machine.state is before
            return
        assert command in may
        if command is LineCommand.ABORT:
            self.cleared = False
        if command is LineCommand.CLEAR:
            self.cleared = True
        self.wanted = command in (LineCommand.START, LineCommand.UNHOLD)

    @rule(times=st.integers(1, 3))
    def work_is_done(self, times):
        """Doing it once more changes nothing."""
        states = [self.machine.done() for _ in range(times)]
        assert len(set(states)) == 1
        assert self.machine.state not in DONE

    @precondition(lambda self: self.machine.state in DONE)
    @rule()
    def restart(self):
        """A line that starts again stands still until somebody starts it."""
        self.machine = LineMachine()
        self.wanted, self.cleared = False, True
        assert self.machine.state is LineState.STOPPED

    @invariant()
    def moves_only_when_wanted(self):
        if self.machine.state in MOVING:
            assert self.wanted
            assert self.cleared

    @invariant()
    def can_always_be_brought_to_a_stand(self):
        if self.machine.state not in STANDING | {LineState.ABORTING, LineState.CLEARING}:
            assert (self.machine.state, LineCommand.ABORT) in TRANSITIONS


Sequencer.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSequencer = Sequencer.TestCase

"""The line's state machine: PackML states and one table of transitions.

Reference: ISA-TR88.00.02, figure 2. Acting states (ending in -ing) leave by themselves, when
their work is done; the others leave by command.
"""

from __future__ import annotations

from station.ports import CommandRefused, LineCommand, LineState

S, C = LineState, LineCommand

_STOPPABLE = (
    S.STARTING,
    S.IDLE,
    S.SUSPENDED,
    S.EXECUTE,
    S.HOLDING,
    S.HELD,
    S.UNHOLDING,
    S.SUSPENDING,
    S.UNSUSPENDING,
    S.RESETTING,
    S.COMPLETING,
    S.COMPLETE,
)

TRANSITIONS: dict[tuple[LineState, LineCommand], LineState] = {
    (S.STOPPED, C.RESET): S.RESETTING,
    (S.COMPLETE, C.RESET): S.RESETTING,
    (S.IDLE, C.START): S.STARTING,
    (S.EXECUTE, C.HOLD): S.HOLDING,
    (S.SUSPENDED, C.HOLD): S.HOLDING,
    (S.HELD, C.UNHOLD): S.UNHOLDING,
    (S.ABORTED, C.CLEAR): S.CLEARING,
    **{(state, C.STOP): S.STOPPING for state in _STOPPABLE},
    **{(state, C.ABORT): S.ABORTING for state in LineState if state not in (S.ABORTING, S.ABORTED)},
}

DONE: dict[LineState, LineState] = {
    S.CLEARING: S.STOPPED,
    S.STARTING: S.EXECUTE,
    S.STOPPING: S.STOPPED,
    S.ABORTING: S.ABORTED,
    S.HOLDING: S.HELD,
    S.UNHOLDING: S.EXECUTE,
    S.SUSPENDING: S.SUSPENDED,
    S.UNSUSPENDING: S.EXECUTE,
    S.RESETTING: S.IDLE,
    S.COMPLETING: S.COMPLETE,
}


class LineMachine:
    """Holds the line's state, and refuses what the table does not know."""

    def __init__(self, state: LineState = LineState.STOPPED) -> None:
        self.state = state

    @property
    def allowed(self) -> tuple[LineCommand, ...]:
        """Return the commands that the present state takes."""
        return tuple(command for command in LineCommand if (self.state, command) in TRANSITIONS)

    def command(self, command: LineCommand) -> LineState:
        """Take a command and return the new state; raises CommandRefused."""
        target = TRANSITIONS.get((self.state, command))
        if target is None:
            possible = ", ".join(self.allowed) or "nothing: wait until it is done"
            raise CommandRefused(
                f"The line is {self.state} and cannot {command}. Possible now: {possible}."
            )
        self.state = target
        return target

    def done(self) -> LineState:
        """Leave an acting state whose work is done; others stay as they are."""
        self.state = DONE.get(self.state, self.state)
        return self.state

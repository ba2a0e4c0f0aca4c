"""What the washer is told for each command of the line."""

from __future__ import annotations

from drivers.roles import WashCommand, WashState
from station.ports import LineCommand

# What the washer is told next, by its state, until it needs no more. After a restart of ours it
# may be in any state, so each command of the line finds its own way from there.
_TO_IDLE = {
    WashState.ABORTED: WashCommand.CLEAR,
    WashState.STOPPED: WashCommand.RESET,
    WashState.COMPLETE: WashCommand.RESET,
}
_TO_EXECUTE = {
    **_TO_IDLE,
    WashState.IDLE: WashCommand.START,
    WashState.HELD: WashCommand.UNHOLD,
    WashState.SUSPENDED: WashCommand.UNHOLD,
}
_RESTING = (WashState.STOPPED, WashState.ABORTED)
WASHER_STEPS: dict[LineCommand, dict[WashState, WashCommand]] = {
    LineCommand.CLEAR: {WashState.ABORTED: WashCommand.CLEAR},
    LineCommand.RESET: _TO_IDLE,
    LineCommand.START: _TO_EXECUTE,
    LineCommand.UNHOLD: _TO_EXECUTE,
    LineCommand.HOLD: {WashState.EXECUTE: WashCommand.HOLD},
    LineCommand.STOP: {s: WashCommand.STOP for s in WashState if s not in _RESTING},
    LineCommand.ABORT: {s: WashCommand.ABORT for s in WashState if s is not WashState.ABORTED},
}
MOST_STEPS = 4  # clear, reset, start, and one to spare

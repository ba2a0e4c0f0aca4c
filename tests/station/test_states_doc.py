from pathlib import Path

import pytest

from station.packml import TRANSITIONS, LineMachine
from station.ports import LineState
from station.states_doc import page

STATES = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_documented_states_are_those_that_the_line_obeys():
    assert STATES.read_text("utf-8") == page(), "run: python -m station.states_doc > docs/states.md"


@pytest.mark.parametrize("state", LineState)
def test_row_of_a_state_shows_what_the_screen_offers(state):
    row = next(line for line in page().splitlines() if line.startswith(f"| `{state.value}` |"))
    cells = [cell.strip().strip("`") for cell in row.split("|")[2:-2]]
    taken = [cell for cell in cells if cell]
    assert taken == [TRANSITIONS[state, command] for command in LineMachine(state).allowed]

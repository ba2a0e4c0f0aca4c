"""A belt with hands at it: whatever people do, the tracker never gives a panel another's name.

The machine plays the belt (panels in order, sensors on when a panel lies on them) and the hands:
panels are taken off and put on where nobody announced them. What the tracker calls a zone's panel
is compared with what lies there.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.roles import Zone
from station.tracking import ORDER, Moved, Stranger, Tracker

UNKNOWN = "nobody's"


class Belt(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.tracker = Tracker()
        self.lies = dict.fromkeys(ORDER)  # what really lies where
        self.next = 0
        self.removed = set()
        self.read()

    def read(self):
        self.events = self.tracker.update({zone: self.lies[zone] is not None for zone in ORDER})
        for event in self.events:
            if isinstance(event, Moved):
                assert self.lies[event.zone] in (event.inspection_id, UNKNOWN)

    @precondition(lambda self: self.tracker.may_announce and self.lies[Zone.INFEED] is None)
    @rule()
    def announce_and_load(self):
        name = f"i-{self.next}"
        self.next += 1
        self.tracker.announced = name
        self.lies[Zone.INFEED] = name
        self.read()

    @rule(zone=st.sampled_from(ORDER[:-1]))
    def go_on(self, zone):
        onward = ORDER[ORDER.index(zone) + 1]
        if self.lies[zone] is not None and self.lies[onward] is None:
            self.lies[zone], panel = None, self.lies[zone]
            self.read()
            self.lies[onward] = panel
            self.read()

    @rule(moves=st.lists(st.sampled_from(ORDER[:-1]), max_size=6))
    def run_on_unseen(self, moves):
        """The belt runs on while the station is away, until the watchdog stops it."""
        self.tracker.lost_sight()
        for zone in moves:
            onward = ORDER[ORDER.index(zone) + 1]
            if self.lies[zone] is not None and self.lies[onward] is None:
                self.lies[zone], self.lies[onward] = None, self.lies[zone]
        self.read()

    @rule()
    def leave(self):
        panel = self.lies[Zone.OUTFEED]
        if panel is not None:
            self.tracker.take_from(Zone.OUTFEED)
            self.lies[Zone.OUTFEED] = None
            self.read()

    @rule(zone=st.sampled_from(ORDER))
    def put_on_by_hand(self, zone):
        """Where nothing is on its way from the zone before: else only the barcode can tell."""
        before = ORDER[max(ORDER.index(zone) - 1, 0)]
        waits = zone is not ORDER[0] and before in self.tracker.occupants
        announced = zone is ORDER[0] and self.tracker.announced is not None
        empty = self.lies[zone] is None and zone not in self.tracker.occupants
        if empty and not waits and not announced:
            self.lies[zone] = UNKNOWN
            self.read()
            assert any(isinstance(event, Stranger) for event in self.events)

    @rule(times=st.integers(1, 3))
    def look_again(self, times):
        """Reading the same sensors twice tells nothing new."""
        for _ in range(times):
            self.read()
            assert self.events == []

    @invariant()
    def nobody_is_in_two_places(self):
        held = list(self.tracker.occupants.values())
        assert len(held) == len(set(held))

    @invariant()
    def names_are_right(self):
        for zone, name in self.tracker.occupants.items():
            assert self.lies[zone] in (name, None)


Belt.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBelt = Belt.TestCase

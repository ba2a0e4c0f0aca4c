import random

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.roles import Zone
from station.tracking import ORDER, Moved, Stranger, Tracker


def sensors(*zones):
    return {zone: zone in zones for zone in Zone}


def test_one_panel_through_the_line():
    tracker = Tracker(announced="a")
    for zone in ORDER:
        assert tracker.update(sensors(zone)) == [Moved(inspection_id="a", zone=zone)]
        assert tracker.update(sensors()) == []
    assert tracker.take_from(Zone.OUTFEED) == "a"


def test_a_panel_may_lie_on_two_sensors_at_once():
    tracker = Tracker(announced="a")
    tracker.update(sensors(Zone.INFEED))
    assert tracker.update(sensors(Zone.INFEED, Zone.WASH)) == [
        Moved(inspection_id="a", zone=Zone.WASH)
    ]
    tracker.announced = "b"
    assert tracker.update(sensors(Zone.INFEED, Zone.WASH)) == []
    assert tracker.update(sensors(Zone.WASH)) == []
    assert tracker.update(sensors(Zone.INFEED, Zone.WASH)) == [
        Moved(inspection_id="b", zone=Zone.INFEED)
    ]
    assert tracker.occupants == {Zone.INFEED: "b", Zone.WASH: "a"}


def test_a_panel_that_nobody_announced_is_reported_once():
    tracker = Tracker()
    assert tracker.update(sensors(Zone.INFEED)) == [Stranger(zone=Zone.INFEED)]
    assert tracker.update(sensors(Zone.INFEED)) == []
    assert tracker.update(sensors(Zone.RINSE, Zone.INFEED)) == [Stranger(zone=Zone.RINSE)]


def test_a_stranger_never_takes_the_name_of_the_next_panel():
    tracker = Tracker()
    tracker.update(sensors(Zone.INFEED))
    tracker.announced = "a"
    assert tracker.update(sensors(Zone.INFEED)) == []
    assert tracker.announced == "a"


def test_a_panel_that_went_on_unseen_is_found_again():
    """While the station was away the belt ran on, until its watchdog stopped it."""
    tracker = Tracker(occupants={Zone.RINSE: "a", Zone.WASH: "b"})
    assert tracker.update(sensors(Zone.OUTFEED, Zone.RINSE)) == [
        Moved(inspection_id="a", zone=Zone.OUTFEED),
        Moved(inspection_id="b", zone=Zone.RINSE),
    ]
    tracker.lost_sight()
    assert tracker.update(sensors(Zone.OUTFEED, Zone.DRY)) == [
        Moved(inspection_id="b", zone=Zone.DRY)
    ]


def test_one_that_is_between_two_sensors_is_waited_for():
    tracker = Tracker(occupants={Zone.DRY: "a", Zone.INFEED: "b"})
    assert tracker.update(sensors(Zone.RINSE)) == [Moved(inspection_id="b", zone=Zone.RINSE)]
    assert tracker.update(sensors(Zone.RINSE, Zone.OUTFEED)) == [
        Moved(inspection_id="a", zone=Zone.OUTFEED)
    ]


def test_what_went_on_in_sight_passes_no_zone():
    tracker = Tracker(occupants={Zone.WASH: "a"})
    tracker.update(sensors(Zone.WASH))
    assert tracker.update(sensors(Zone.OUTFEED)) == [Stranger(zone=Zone.OUTFEED)]


def test_a_missed_moment_between_two_readings_is_made_good():
    tracker = Tracker(occupants={Zone.INFEED: "b", Zone.WASH: "a"})
    events = tracker.update(sensors(Zone.WASH, Zone.RINSE))
    assert (
        events
        == [
            Moved(inspection_id="a", zone=Zone.RINSE),
            Moved(inspection_id="b", zone=Zone.WASH),
        ]
        or tracker.occupants[Zone.RINSE] == "a"
    )


def test_panels_that_move_in_lockstep_are_all_seen():
    tracker = Tracker(occupants={Zone.WASH: "c", Zone.RINSE: "b", Zone.DRY: "a"})
    tracker.update(sensors(Zone.WASH, Zone.RINSE, Zone.DRY))
    tracker.update(sensors())
    assert tracker.update(sensors(Zone.RINSE, Zone.DRY, Zone.OUTFEED)) == [
        Moved(inspection_id="a", zone=Zone.OUTFEED),
        Moved(inspection_id="b", zone=Zone.DRY),
        Moved(inspection_id="c", zone=Zone.RINSE),
    ]


def test_the_next_panel_is_announced_only_to_an_infeed_that_was_seen_empty():
    tracker = Tracker()
    assert not tracker.may_announce
    tracker.update(sensors())
    assert tracker.may_announce
    tracker.announced = "a"
    assert not tracker.may_announce
    tracker.update(sensors(Zone.INFEED))
    tracker.update(sensors())  # between infeed and wash
    assert not tracker.may_announce
    tracker.update(sensors(Zone.INFEED, Zone.WASH))
    assert not tracker.may_announce
    tracker.update(sensors(Zone.WASH))
    assert tracker.may_announce


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), panels=st.integers(1, 8))
def test_whatever_the_belt_does_no_panel_takes_the_place_of_another(seed, panels):
    """A belt of its own: panels move one zone when the next is free; sensors are read often."""
    rng = random.Random(seed)
    waiting = [f"p{i}" for i in range(panels)]
    belt: dict[Zone, str] = {}
    tracker = Tracker()
    done = []
    for _ in range(3000):
        for zone in reversed(ORDER):
            if zone not in belt or rng.random() < 0.5:
                continue
            if zone is Zone.OUTFEED:
                panel = belt.pop(zone)
                assert tracker.take_from(zone) == panel
                done.append(panel)
            elif ORDER[ORDER.index(zone) + 1] not in belt:
                panel = belt.pop(zone)
                tracker.update(sensors(*belt))
                belt[ORDER[ORDER.index(zone) + 1]] = panel
            for event in tracker.update(sensors(*belt)):
                assert event == Moved(inspection_id=belt[event.zone], zone=event.zone)
        if waiting and Zone.INFEED not in belt and rng.random() < 0.5:
            tracker.update(sensors(*belt))
            tracker.announced = waiting[0]
            belt[Zone.INFEED] = waiting.pop(0)
            (event,) = tracker.update(sensors(*belt))
            assert event == Moved(inspection_id=belt[Zone.INFEED], zone=Zone.INFEED)
        if not waiting and not belt:
            break
    assert done == [f"p{i}" for i in range(panels)]

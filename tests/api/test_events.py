import asyncio
import json

import pytest

from api.routes import events

WAIT = 10.0  # s, for anything that a test waits for


@pytest.fixture
def listen(service):
    """``listen()`` opens the stream; ``await anext(stream)`` is the next (event, data)."""

    async def messages():
        async with service.client.stream("GET", "/api/events", timeout=WAIT) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            event = ""
            async for line in response.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    yield event, json.loads(value)

    return messages


async def until(condition):
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110  # the fake line has no event for it
            await asyncio.sleep(0.01)


async def test_a_screen_is_told_the_build_the_state_and_each_change(service, listen):
    stream = listen()
    assert await anext(stream) == ("heartbeat", {"build_id": "build-1"})
    event, snapshot = await anext(stream)
    assert (event, snapshot["sequence"]) == ("snapshot", 1)
    assert snapshot["washer"]["presence"]["wash"] is False
    service.station.change(processed=13)
    event, snapshot = await anext(stream)
    assert (event, snapshot["processed"]) == ("snapshot", 13)
    await stream.aclose()


async def test_the_heart_beats_also_when_much_happens(service, listen, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    stream = listen()

    async def busy():
        while True:
            service.station.change()
            await asyncio.sleep(0.01)

    work = asyncio.create_task(busy())
    kinds = [(await anext(stream))[0] for _ in range(40)]
    work.cancel()
    await stream.aclose()
    assert kinds.count("heartbeat") >= 3
    assert kinds.count("snapshot") >= 10


async def test_a_screen_that_leaves_leaves_nothing_behind(service, listen):
    stream = listen()
    await anext(stream)
    await anext(stream)
    await until(lambda: service.station.readers == 1)
    await stream.aclose()
    service.station.change()
    await until(lambda: service.station.readers == 0)


async def test_streams_end_when_the_service_stops(service, listen):
    stream = listen()
    await anext(stream)
    service.app.state.stopping.set()
    async with asyncio.timeout(WAIT):
        kinds = [event async for event, _ in stream]
    assert set(kinds) <= {"snapshot", "heartbeat"}

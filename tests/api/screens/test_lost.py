"""A screen that loses the service, or the service its records, in a real browser."""

from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


# --- a lost connection ---------------------------------------------------------------------------


def test_a_lost_stream_is_stale_and_a_new_build_is_loaded(product, judged, look):
    page = look(product.url)
    expect(page.locator(".tile")).to_be_visible()
    page.clock.install()
    page.reload()
    expect(page.locator("#stale")).to_be_hidden()
    product.stop()
    page.clock.fast_forward(9_000)
    page.clock.run_for(1_000)
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator(".outdated")).to_be_visible()
    assert "grayscale" in page.locator(".tile").evaluate("tile => getComputedStyle(tile).filter")
    product.start("build-2")
    expect(page.locator("html")).to_have_attribute("data-build", "build-2", timeout=20_000)
    expect(page.locator("#stale")).to_be_hidden()


def test_a_stream_that_comes_back_catches_up(product, judged, second, look):
    page = look(product.url)
    expect(page.locator(".tile")).to_contain_text(judged.panel.panel_id)
    product.stop()
    product.records.record(second, ())
    product.station.change(latest_inspection_id=second.inspection_id)
    product.start()
    expect(page.locator(".tile")).to_contain_text("ZK000777", timeout=20_000)


def test_a_question_raised_while_the_page_loads_is_not_missed(product, back_sheet, look):
    page = look(f"{product.url}/history")

    def late(route):
        answer = route.fetch()
        product.change(questions=(back_sheet(),))
        route.fulfill(response=answer)

    page.route(f"{product.url}/", late)
    page.goto(product.url)
    expect(page.locator(".question")).to_be_visible()


# --- records out of reach ------------------------------------------------------------------------


@pytest.fixture
def cut(product):
    """``cut()`` puts the database out of reach, ``cut(False)`` back."""
    path = Path(product.records._engine.url.database)
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]

    def move(away=True):
        product.records.close()
        if away:
            for file in filter(Path.exists, files):
                file.rename(file.with_name(f"away-{file.name}"))
            path.mkdir()  # where a file is looked for, there is none
            product.records.close()  # what was opened in between
        else:
            path.rmdir()
            for file in files:
                if (kept := file.with_name(f"away-{file.name}")).exists():
                    kept.rename(file)

    return move


def test_a_screen_that_cannot_be_brought_up_to_date_says_so(product, judged, back_sheet, look, cut):
    page = look(product.url)
    expect(page.locator(".tile")).to_be_visible()
    cut()
    expect(page.locator("#stale")).to_be_visible()
    product.change(questions=(back_sheet(),))
    expect(page.locator(".question")).to_be_visible()  # the line goes on
    page.reload()
    expect(page.locator(".waiting")).to_contain_text("Historie niet bereikbaar")
    expect(page.locator(".question")).to_be_visible()
    cut(False)
    expect(page.locator(".tile")).to_contain_text(judged.panel.panel_id)
    expect(page.locator("#stale")).to_be_hidden()

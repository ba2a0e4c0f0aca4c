"""A short campaign finds nothing; without a guard it finds what must never be."""

import asyncio

import pytest

from campaign.__main__ import campaign
from campaign.oracle import Findings
from campaign.panels import Supply, number_in
from campaign.report import BEGIN, END, Result, table, write
from grading.values import Sweep

pytestmark = pytest.mark.line


def test_a_short_campaign_finds_nothing():
    result = asyncio.run(campaign(2, seed=1))
    assert result.findings == Findings()
    assert result.panels == sum(result.verdicts.values()) == 2
    assert sum(result.done.values()) > 3


def test_without_a_guard_it_finds_what_must_never_be():
    result = asyncio.run(campaign(2, seed=1, without="once"))
    assert result.findings.duplicated == 2


def test_panels_carry_their_number():
    panels = iter(Supply(seed=3))
    one, other = next(panels), next(panels)
    assert number_in(one.photograph(current=8.0)) == one.number
    assert number_in(other.photograph(current=8.0)) == other.number
    a, b = (p.sweep(Sweep.UP, irradiance=1000, points=100).current for p in (one, other))
    assert abs(a - b).max() > 1e-7


def test_the_table_goes_between_its_marks(tmp_path):
    document = tmp_path / "reliability.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    result = Result(seed=7, panels=3, seconds=60, findings=Findings(lost=2), recoveries=(1.0, 3.0))
    write(document, table([result, result]))
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| lost | 4 |" in text
    assert "median 2.0 s, worst 3.0 s" in text
    assert "old\n" not in text

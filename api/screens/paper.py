"""The test report of one inspection on paper: a PDF in either language.

It carries what ISO/IEC 17025:2017, 7.8.2 and 7.8.6 ask of a test report, and what directive
2012/19/EU (WEEE), Annex VI, asks as evidence that used equipment works: the item's name, its
number, its year, who tested it, when, how, and with which result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import segno
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from api.records import InspectionRecord
from api.screens import views
from api.screens.charts import curve_chart
from api.screens.language import translator
from config.load import Site
from grading.rules import RuleBook
from grading.values import IVCurve, Outcome

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"  # DejaVu has Ω, ≥ and ±
COLOURS = {
    Outcome.PASS: (23, 111, 57),
    Outcome.REJECT: (178, 34, 28),
    Outcome.RETEST: (166, 97, 0),
    Outcome.HOLD: (98, 60, 150),
}
INK, SOFT, RULE = (20, 28, 40), (88, 98, 114), (205, 211, 220)
WIDTH = 180.0  # mm, between the margins


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What a report shows besides text; ``overlay`` is an encoded picture."""

    curves: tuple[IVCurve, ...]
    overlay: bytes | None


def test_report(
    record: InspectionRecord,
    pictures: Pictures,
    site: Site,
    link: str,
    book: RuleBook,
    language: str,
) -> bytes:
    """Return the report as a PDF; the same record gives the same bytes.

    Args:
        record: the inspection with all its verdicts; the current one is reported.
        pictures: curve and EL picture of the evidence.
        site: who tests.
        link: address of the panel's page, for the QR code.
        book: the rules, for the words of their reasons.
        language: ``nl`` or ``en``.
    """
    paper = _Paper(record, site, book, language)
    paper.head(link)
    paper.verdict()
    paper.pictures(pictures)
    paper.findings()
    paper.small_print()
    return bytes(paper.output())


class _Paper(FPDF):
    """One report, from top to bottom."""

    def __init__(self, record: InspectionRecord, site: Site, book: RuleBook, language: str) -> None:
        super().__init__(format="A4")
        self.t = translator(language)
        self._record, self._site, self._book, self._language = record, site, book, language
        self.set_margins(15, 14)
        self.set_auto_page_break(auto=True, margin=16)
        self.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
        self.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_title(f"{self.t('paper', 'report')} {record.report.inspection_id}")
        self.set_lang(language)
        self.set_creation_date(_moment(record.current.created_at))
        self.add_page()

    def footer(self) -> None:
        """Every page says of which report it is, and how many there are."""
        self.set_y(-11)
        self._say(7, SOFT)
        text = (
            f"{self.t('paper', 'report')} {self._record.report.inspection_id}/"
            f"{self._record.version}   ·   {self.t('paper', 'page')} {self.page_no()} "
            f"{self.t('paper', 'of')} {{nb}}"
        )
        self.cell(0, 5, text, align="C")

    # --- the parts -----------------------------------------------------------------------------

    def head(self, link: str) -> None:
        """Say what this is, who tested what, and when."""
        report, plate = self._record.report, self._record.report.panel.nameplate
        code = BytesIO()
        segno.make(link, error="m").save(code, kind="png", scale=6, border=0)
        self.image(code, x=15 + WIDTH - 24, y=13, w=24)
        self._say(17, INK, bold=True)
        self._line(self.t("paper", "title"), 9)
        self._say(8.5, SOFT)
        self._line(self.t("paper", "functionality"), 5)
        self._line(f"{self.t('paper', 'tested_by')}: {self._site.name}, {self._site.address}", 5)
        self.ln(4)
        named = " ".join(filter(None, (plate.maker, plate.model))) or "–"
        facts = (
            (self.t("paper", "item"), self.t("paper", "kind_of_item")),
            (self.t("paper", "barcode"), report.panel.panel_id),
            (f"{self.t('page', 'maker')}, {self.t('page', 'model')}", named),
            (self.t("page", "serial"), report.panel.serial or "–"),
            (self.t("paper", "year"), str(plate.year or "–")),
            (self.t("page", "nameplate_power"), f"{plate.p_mp:g} W" if plate.p_mp else "–"),
            (self.t("page", "measured_at"), _day(report.measured_at)),
            (self.t("paper", "issued"), _day(self._record.current.created_at)),
        )
        self._facts(facts)

    def verdict(self) -> None:
        """Show the verdict by word and colour, its reasons, and the key figures."""
        result = views.result(self._record, self._book, self._language)
        current = self._record.current
        words = [self.t("verdict", current.outcome.value).upper(), current.grade or ""]
        self.set_fill_color(*COLOURS[current.outcome])
        self._say(18, (255, 255, 255), bold=True)
        self.cell(
            WIDTH,
            13,
            f"  {' '.join(words).strip()}  →  {self.t('destination', current.destination)}",
            fill=True,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        self.set_fill_color(255)
        if result.reasons:
            self.ln(1.5)
            self._say(9.5, INK)
            self.multi_cell(WIDTH, 5, "; ".join(result.reasons), new_x=XPos.LMARGIN)
        self.ln(3)
        figures = views.figures(self._record.report, self._language)
        if figures:
            head = ("", self.t("page", "as_measured"), f"{self.t('page', 'at_stc')} ± U (k = 2)")
            rows = [(self.t("figure", name), *values) for name, *values in figures]
            self._table(head, rows, (76, 46, 58), right=(1, 2))

    def pictures(self, pictures: Pictures) -> None:
        """Show curve and EL picture side by side."""
        self.ln(3)
        top, half = self.get_y(), (WIDTH - 6) / 2
        if pictures.curves:
            chart = curve_chart(pictures.curves, self._record.report.iv, self.t, self._language)
            self.image(BytesIO(chart), x=15, y=top, w=half)
        else:
            self._at(15, top + 25, half, self.t("paper", "no_curve"))
        if pictures.overlay is not None:
            box = (half, half * 3.0 / 4.4)
            self.image(
                BytesIO(pictures.overlay),
                x=15 + half + 6,
                y=top,
                w=box[0],
                h=box[1],
                keep_aspect_ratio=True,
            )
        else:
            self._at(15 + half + 6, top + 25, half, self.t("paper", "no_picture"))
        self.set_y(top + half * 3.0 / 4.4 + 3)

    def findings(self) -> None:
        """List every rule with value, uncertainty, limit and outcome."""
        report = self._record.report
        found = [views.finding(f, self._book, self.t, self._language) for f in report.findings]
        head = (
            self.t("page", "rule"),
            f"{self.t('page', 'value')} ± U (k = 2)",
            self.t("page", "limit"),
            self.t("page", "outcome"),
        )
        rows = [(f["rule"], f["value"], f["limit"], self.t("verdict", f["outcome"])) for f in found]
        if rows:
            self._table(head, rows, (82, 44, 26, 28), right=(1,))

    def small_print(self) -> None:
        """Say by which methods, instruments and rules, and on which evidence."""
        report = self._record.report
        judged = {found.feature for found in report.findings if found.value is not None}
        done = {
            "test_visual": any(f.name == "visual.toml" for f in report.evidence),
            "test_insulation": any(f.name == "safety.toml" for f in report.evidence),
            "test_wet_leakage": "wet_leakage_area_product" in judged,
            "test_bypass_diodes": bool(judged & {"bypass_diodes_ok", "bypass_judged"}),
            "test_curve": report.iv is not None,
            "test_el": report.el is not None,
        }
        self._heading(self.t("paper", "tests"))
        for name, was_done in done.items():
            note = "" if was_done else f" – {self.t('paper', 'not_done')}"
            self._line(f"{self.t('paper', name)}{note}", 4.2)
        self._heading(self.t("page", "instruments"))
        for i in report.instruments:
            named = f"{i.maker} {i.model}, {i.serial}, {i.firmware}"
            self._line(f"{self.t('device', i.role)}: {named}", 4.2)
        for c in report.calibrations:
            until = f"{self.t('page', 'valid_until')} {c.valid_until[:10]}"
            named = f"{c.id}, {c.instrument}, {c.certificate}, {until}"
            self._line(f"{self.t('calibration', c.kind)}: {named}", 4.2)
        self._heading(self.t("paper", "evidence"))
        for file in report.evidence:
            self._line(f"{file.name}  {file.sha256}", 4.2)
        self.ln(2)
        rules = report.rules
        self._line(
            f"{self.t('paper', 'rule_file')}: {rules.name} {rules.version}, {rules.sha256}  ·  "
            f"Zonkeur {report.software_version}",
            4.2,
        )
        for code in ("decision_rule", "only_this"):
            self.multi_cell(WIDTH, 4.2, self.t("paper", code), new_x=XPos.LMARGIN)

    # --- small things --------------------------------------------------------------------------

    def _say(self, size: float, colour: tuple[int, int, int], *, bold: bool = False) -> None:
        self.set_font("DejaVu", "B" if bold else "", size)
        self.set_text_color(*colour)

    def _line(self, text: str, height: float) -> None:
        self.cell(WIDTH, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _heading(self, text: str) -> None:
        self.ln(2.5)
        if self.will_page_break(20):
            self.add_page()
        self._say(8.5, INK, bold=True)
        self._line(text, 5)
        self._say(7.2, SOFT)

    def _at(self, x: float, y: float, width: float, text: str) -> None:
        self.set_xy(x, y)
        self._say(9, SOFT)
        self.cell(width, 5, text, align="C")

    def _facts(self, facts: Sequence[tuple[str, str]]) -> None:
        for left, right in zip(facts[::2], facts[1::2], strict=True):
            for label, value in (left, right):
                self._say(8.5, SOFT)
                self.cell(30, 5.2, label)
                self._say(8.5, INK)
                self.cell(WIDTH / 2 - 30, 5.2, value)
            self.ln(5.2)
        self.ln(3)

    def _table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        right: Sequence[int],
    ) -> None:
        self._say(8, INK)
        self.set_draw_color(*RULE)
        with self.table(
            col_widths=tuple(widths),
            text_align=tuple("RIGHT" if i in right else "LEFT" for i in range(len(widths))),
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="BOLD", color=SOFT),
            line_height=4.6,
            padding=(0.6, 1.5),
        ) as table:
            for row in (head, *rows):
                table.row(row)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(text: str | None) -> str:
    return "–" if text is None else f"{_moment(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"

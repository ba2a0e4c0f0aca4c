"""The records: every inspection, its verdicts and who changed them. All queries live here."""

from api.records.queries import PAGE
from api.records.store import Records
from api.records.values import (
    Conflict,
    Count,
    Filters,
    InspectionRecord,
    InspectionRow,
    KeyReused,
    NotFound,
    Page,
    Routed,
    Typical,
    VerdictView,
)

__all__ = [
    "PAGE",
    "Conflict",
    "Count",
    "Filters",
    "InspectionRecord",
    "InspectionRow",
    "KeyReused",
    "NotFound",
    "Page",
    "Records",
    "Routed",
    "Typical",
    "VerdictView",
]

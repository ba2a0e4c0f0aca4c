"""What goes wrong with measurements at rest.

EvidenceError     a file or folder of evidence that cannot be read, or must not be trusted
└── StorageFull   there is no room to write; nothing was written in part
"""

from __future__ import annotations


class EvidenceError(Exception):
    """A piece of evidence that cannot be read or trusted; names it, and the remedy."""

    title = "The evidence cannot be read"

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(f"{detail} {remedy}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


class StorageFull(EvidenceError):
    """There is no room for the evidence."""

    title = "The evidence cannot be stored"

"""One panel's evidence as a folder, the same that the station seals and ``zonkeur grade`` reads.

panel.toml     who the panel is, when and with which instruments it was measured
iv.csv         the raw sweeps
el.png|tif     the raw picture, with el_dark and el_flat beside it where they exist
safety.toml    insulation, ground path, bypass diodes, where measured
visual.toml    what the operator saw, where looked at
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from evidence.curves import MeasuredCurve, merge_nameplates, read_curves, write_curves
from evidence.errors import EvidenceError
from evidence.images import SUFFIXES, encode_tiff, read_el_image
from evidence.store import MANIFEST, hash_bytes, verify
from evidence.toml import dump, parse, read_toml
from grading.values import (
    ELImage,
    Evidence,
    FileHash,
    Instrument,
    Nameplate,
    PanelIdentity,
    SafetyRecord,
    VisualRecord,
)

T = TypeVar("T")

CURVES = "iv.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ELSettings:
    """How the picture was taken."""

    exposure: float | None = None  # s
    current: float | None = None  # A
    captured_at: str | None = None  # ISO 8601 UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFile:
    """What ``panel.toml`` holds."""

    panel_id: str
    inspection_id: str | None = None
    serial: str | None = None
    lot: str | None = None
    measured_at: str | None = None
    identity_confirmed: bool | None = None
    lamp_flashes: int | None = None
    nameplate: Nameplate = field(default_factory=Nameplate)
    el: ELSettings = field(default_factory=ELSettings)
    instruments: tuple[Instrument, ...] = ()


def read_evidence(folder: Path, *, curves: bool = True, image: bool = True) -> Evidence:
    """Read a folder of one panel's evidence.

    A sealed folder (one with a manifest) is checked against its hashes first. What is left out by
    ``curves=False`` or ``image=False`` is neither read nor checked.

    Raises:
        EvidenceError: no ``panel.toml``, or a file is missing, changed or not valid.
        CurveError: ``iv.csv`` is not a table of curves.
        ImageError: the picture cannot be read.
    """
    if not folder.is_dir():
        raise EvidenceError(
            "no_folder", f"{folder.name} is not a folder.", "Name a folder with a panel.toml."
        )

    def wanted(name: str) -> bool:
        return (curves or name != CURVES) and (image or not name.startswith("el"))

    sealed = verify(folder, only=wanted) if (folder / MANIFEST).exists() else None
    panel = parse(PanelFile, read_toml(folder / "panel.toml"), "panel.toml")
    read = _curves(folder) if curves else ()
    return Evidence(
        inspection_id=panel.inspection_id or folder.resolve().name,
        panel=PanelIdentity(
            panel_id=panel.panel_id,
            serial=panel.serial,
            lot=panel.lot,
            nameplate=merge_nameplates([panel.nameplate, *(c.nameplate for c in read[:1])]),
        ),
        curves=tuple(measured.curve for measured in read),
        image=_image(folder, panel.el) if image else None,
        safety=_optional(folder / "safety.toml", SafetyRecord),
        visual=_optional(folder / "visual.toml", VisualRecord),
        instruments=panel.instruments,
        measured_at=panel.measured_at,
        identity_confirmed=panel.identity_confirmed,
        lamp_flashes=panel.lamp_flashes,
        files=_hash_loose_files(folder) if sealed is None else sealed,
    )


def evidence_files(evidence: Evidence) -> Mapping[str, bytes]:
    """Return the files of one panel's evidence, ready to be sealed; raw, before any grading."""
    panel, image = evidence.panel, evidence.image
    head = PanelFile(
        panel_id=panel.panel_id,
        inspection_id=evidence.inspection_id,
        serial=panel.serial,
        lot=panel.lot,
        measured_at=evidence.measured_at,
        identity_confirmed=evidence.identity_confirmed,
        lamp_flashes=evidence.lamp_flashes,
        nameplate=panel.nameplate,
        el=ELSettings()
        if image is None
        else ELSettings(
            exposure=image.exposure, current=image.current, captured_at=image.captured_at
        ),
        instruments=evidence.instruments,
    )
    files = {"panel.toml": dump(head)}
    if evidence.curves:
        files[CURVES] = write_curves(evidence.curves)
    if image is not None:
        frames = {"el": image.pixels, "el_dark": image.dark, "el_flat": image.flat}
        files |= {
            f"{name}.tif": encode_tiff(frame) for name, frame in frames.items() if frame is not None
        }
    if evidence.safety is not None:
        files["safety.toml"] = dump(evidence.safety)
    if evidence.visual is not None:
        files["visual.toml"] = dump(evidence.visual)
    return files


def _curves(folder: Path) -> tuple[MeasuredCurve, ...]:
    path = folder / CURVES
    return read_curves(path) if path.exists() else ()


def _image(folder: Path, settings: ELSettings) -> ELImage | None:
    for suffix in SUFFIXES:
        path = folder / f"el{suffix}"
        if path.exists():
            return replace(
                read_el_image(path),
                exposure=settings.exposure,
                current=settings.current,
                captured_at=settings.captured_at,
            )
    return None


def _optional(path: Path, cls: type[T]) -> T | None:
    return parse(cls, read_toml(path), path.name) if path.exists() else None


def _hash_loose_files(folder: Path) -> tuple[FileHash, ...]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return tuple(hash_bytes(name, (folder / name).read_bytes()) for name in names)

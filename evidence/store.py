"""Durable, hashed folders of evidence: written whole or not at all, and checked later.

A folder is complete once its ``manifest.json`` is there; that is the last file written, after
every other is on the disk (fsync of the file, then of its folder).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from evidence.errors import EvidenceError, StorageFull
from grading.values import FileHash

MANIFEST = "manifest.json"


def hash_bytes(name: str, content: bytes) -> FileHash:
    """Return the name, SHA-256 and size of a file's content."""
    return FileHash(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it is there whole, or not at all.

    Raises:
        StorageFull: no room; nothing is left behind.
        EvidenceError: any other failure to write.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _storage_error(path, error) from error


def seal(folder: Path, files: Mapping[str, bytes]) -> tuple[FileHash, ...]:
    """Write ``files`` and their manifest into ``folder``; return the hashes, ordered by name.

    Raises:
        EvidenceError: ``folder`` is sealed already: evidence is never written over.
        StorageFull: no room.
    """
    if (folder / MANIFEST).exists():
        raise EvidenceError(
            "sealed", f"{folder.name} holds evidence already.", "Start a new inspection."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
    except OSError as error:
        raise _storage_error(folder, error) from error
    for name, content in files.items():
        write_durably(folder / name, content)
    hashes = tuple(hash_bytes(name, files[name]) for name in sorted(files))
    manifest = [{"name": h.name, "sha256": h.sha256, "size": h.size} for h in hashes]
    write_durably(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return hashes


def verify(folder: Path, *, only: Callable[[str], bool] = lambda _: True) -> tuple[FileHash, ...]:
    """Check every file of a sealed folder against its manifest, and return all hashes.

    Args:
        folder: the folder.
        only: check just the files whose names it takes; the others are not read.

    Raises:
        EvidenceError: the manifest is missing, or a file is missing or was changed.
    """
    hashes = read_manifest(folder)
    for expected in filter(lambda file: only(file.name), hashes):
        try:
            content = (folder / expected.name).read_bytes()
        except OSError as error:
            raise EvidenceError(
                "missing",
                f"{expected.name} of {folder.name} cannot be read: {error}.",
                "Restore it from the backup.",
            ) from error
        if hash_bytes(expected.name, content) != expected:
            raise EvidenceError(
                "changed",
                f"{expected.name} of {folder.name} is not what was measured.",
                "Restore it from the backup; the verdict stands on the original.",
            )
    return hashes


def read_manifest(folder: Path) -> tuple[FileHash, ...]:
    """Return the hashes of a sealed folder; raises EvidenceError."""
    try:
        entries = json.loads((folder / MANIFEST).read_bytes())
        return tuple(FileHash(**entry) for entry in entries)
    except (OSError, ValueError, TypeError) as error:
        raise EvidenceError(
            "manifest",
            f"{folder.name} has no manifest that can be read: {error}.",
            "Restore the folder from the backup.",
        ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_error(path: Path, error: OSError) -> EvidenceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            "disk_full",
            f"There is no room on the disk for {path.name}.",
            "Make room; the panel stays in the cabinet and is measured again.",
        )
    return EvidenceError(
        "write", f"{path.name} cannot be written: {error}.", "Check the disk and its rights."
    )

import errno
import os

import pytest

from evidence import store
from evidence.errors import EvidenceError, StorageFull

FILES = {"iv.csv": b"voltage,current\n0,1\n", "el.png": bytes(range(256))}


def test_sealed_evidence_verifies(tmp_path):
    hashes = store.seal(tmp_path / "visit", FILES)
    assert [h.name for h in hashes] == ["el.png", "iv.csv"]
    assert store.verify(tmp_path / "visit") == hashes


def test_evidence_is_never_written_over(tmp_path):
    store.seal(tmp_path / "visit", FILES)
    with pytest.raises(EvidenceError) as caught:
        store.seal(tmp_path / "visit", {"iv.csv": b"other"})
    assert caught.value.code == "sealed"
    assert (tmp_path / "visit" / "iv.csv").read_bytes() == FILES["iv.csv"]


@pytest.mark.parametrize("name", FILES)
def test_one_changed_bit_is_found(tmp_path, name):
    folder = tmp_path / "visit"
    store.seal(folder, FILES)
    content = bytearray((folder / name).read_bytes())
    content[3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(EvidenceError) as caught:
        store.verify(folder)
    assert caught.value.code == "changed"
    assert name in caught.value.detail


def test_a_missing_file_and_a_torn_manifest_are_found(tmp_path):
    folder = tmp_path / "visit"
    store.seal(folder, FILES)
    (folder / "el.png").unlink()
    with pytest.raises(EvidenceError, match=r"el\.png"):
        store.verify(folder)
    (folder / store.MANIFEST).write_text('[{"name": "iv.c')
    with pytest.raises(EvidenceError, match="manifest"):
        store.verify(folder)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    real = os.fsync
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull) as caught:
        store.seal(tmp_path / "visit", FILES)
    assert "room" in caught.value.detail
    assert not (tmp_path / "visit" / store.MANIFEST).exists()
    assert not list((tmp_path / "visit").glob(".*draft"))
    monkeypatch.setattr(os, "fsync", real)
    store.seal(tmp_path / "visit", FILES)
    assert store.verify(tmp_path / "visit")

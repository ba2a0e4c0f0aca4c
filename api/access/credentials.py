"""PINs, badges, tokens and cookies: how they are made, and what is kept of them.

What people choose or type is short, so it is kept as an Argon2id hash (RFC 9106, section 4, the
second recommended option: 64 MiB, 3 passes, 4 lanes; argon2-cffi's default). What we make at random
has 160 bits, which nobody can try out, so its SHA-256 is enough and can be looked up.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from itertools import pairwise
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

PIN = re.compile(r"[0-9]{6,12}")
PIN_DIGITS = 8  # of those that we make
TOKEN_PREFIX, BADGE_PREFIX = "zk_", "ZKB-"

_hasher = PasswordHasher()
# Each hash takes 64 MiB: many wrong PINs at once must not take the memory of the line.
_at_once = BoundedSemaphore(2)


def new_pin() -> str:
    """Return a PIN that nobody chose."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


def weakness(pin: str) -> str | None:
    """Say what is wrong with a PIN that somebody chose; None where nothing is."""
    if not PIN.fullmatch(pin):
        return "A PIN has 6 to 12 digits."
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(set(pin)) < 3 or steps in ({1}, {9}):
        return "This PIN is one that people try first."
    return None


def hash_pin(pin: str) -> str:
    """Return the Argon2id hash of a PIN, with its salt and cost."""
    with _at_once:
        return _hasher.hash(pin)


def pin_fits(pin: str, kept: str | None) -> bool:
    """Whether a PIN is the one that was hashed; takes as long where there is none."""
    with _at_once:
        try:
            _hasher.verify(kept or _NOBODY, pin)
        except VerificationError:
            return False
    return kept is not None


def new_badge() -> str:
    """Return what a badge's barcode says: 160 bits that a scanner types."""
    return BADGE_PREFIX + base64.b32encode(secrets.token_bytes(20)).decode()


def new_token() -> str:
    """Return an API token; its prefix lets scanners of leaked secrets know it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(20)


def new_cookie() -> str:
    """Return the secret of a session."""
    return secrets.token_urlsafe(20)


def digest(secret: str) -> str:
    """Return what is kept of a random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(cookie: str) -> str:
    """Return what our own pages send with each change: known to who holds the cookie alone."""
    return hashlib.sha256(f"csrf {cookie}".encode()).hexdigest()


def same(given: str | None, expected: str) -> bool:
    """Compare in a time that tells nothing."""
    return secrets.compare_digest((given or "").encode(), expected.encode())


_NOBODY = _hasher.hash(secrets.token_hex(16))

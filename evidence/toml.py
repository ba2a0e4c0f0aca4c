"""TOML files to the house's frozen values and back, with every unknown key refused."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import TypeAdapter, ValidationError

from evidence.errors import EvidenceError

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises EvidenceError that names the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(
            "unreadable", f"{path.name} cannot be read: {error}.", "Check the file and its rights."
        ) from error
    return parse_text(text, path.name)


def parse_text(text: str, name: str) -> dict[str, Any]:
    """Parse TOML; raises EvidenceError that names the line."""
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise EvidenceError(
            "not_toml", f"{name} is not valid TOML: {error}.", "Correct that line."
        ) from error


def parse(cls: type[T], table: Mapping[str, Any], name: str) -> T:
    """Return ``table`` as a value of the dataclass ``cls``.

    Raises:
        EvidenceError: a key is unknown or missing, or a value is of another type.
    """
    unknown = sorted(_unknown_keys(cls, table))
    if unknown:
        raise EvidenceError(
            "unknown_key",
            f"{name} has the unknown key {', '.join(unknown)}.",
            f"Known keys: {', '.join(field.name for field in dataclasses.fields(cls))}.",  # type: ignore[arg-type]
        )
    try:
        return TypeAdapter(cls).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(
            "bad_value", f"{name}, {where}: {first['msg']}.", "Correct that value."
        ) from error


def dump(value: Any) -> bytes:
    """Return a dataclass as TOML; fields that are None are left out, as TOML has no null."""
    return tomli_w.dumps(_without_none(dataclasses.asdict(value))).encode()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value


def _unknown_keys(cls: Any, table: Mapping[str, Any], prefix: str = "") -> set[str]:
    hints = typing.get_type_hints(cls)
    unknown = {prefix + key for key in table if key not in hints}
    for key, hint in hints.items():
        for inner, where, entry in _nested(hint, table.get(key), f"{prefix}{key}"):
            unknown |= _unknown_keys(inner, entry, f"{where}.")
    return unknown


def _nested(hint: Any, item: Any, where: str) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Yield each table within ``item`` that must be a dataclass, with that class and its place."""
    classes = [cls for cls in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(cls)]
    if not classes:
        return
    if typing.get_origin(hint) is Mapping and isinstance(item, dict):
        places = [(f"{where}.{name}", entry) for name, entry in item.items()]
    else:
        places = [(where, entry) for entry in (item if isinstance(item, list) else [item])]
    yield from ((classes[0], place, entry) for place, entry in places if isinstance(entry, dict))

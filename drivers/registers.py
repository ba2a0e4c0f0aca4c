"""The register map of a Modbus device: read from TOML, and the codec that follows from it."""

from __future__ import annotations

import math
import struct
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = int | float | str


class RegisterError(ValueError):
    """A value that does not fit its register; ``str()`` names both."""


class RegisterType(StrEnum):
    """How a value lies in its registers."""

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    F32 = "f32"
    STRING = "string"


_FORMATS = {
    RegisterType.U16: ">H",
    RegisterType.I16: ">h",
    RegisterType.U32: ">I",
    RegisterType.I32: ">i",
    RegisterType.F32: ">f",
}


class Register(BaseModel):
    """One named value. ``low`` and ``high`` bound the scaled value; ``period`` is in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: Annotated[int, Field(ge=0, le=65535)]
    type: RegisterType
    access: Literal["read", "write"]
    restart: str
    text: str
    length: Annotated[int, Field(ge=1)] | None = None  # registers, of a string
    scale: Annotated[float, Field(gt=0)] = 1.0
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    period: float | None = None
    bits: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        if self.type is RegisterType.STRING:
            return self.length or 0
        return struct.calcsize(_FORMATS[self.type]) // 2

    @model_validator(mode="after")
    def _check(self) -> Register:
        if (self.type is RegisterType.STRING) != (self.length is not None):
            raise ValueError(f"{self.name}: a string, and nothing else, has a length")
        if len(self.bits) > 16 or (self.bits and self.type is not RegisterType.U16):
            raise ValueError(f"{self.name}: bits are those of a u16")
        return self


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str
    last: str
    text: str


class Heartbeat(BaseModel):
    """Period and time-out [s] of the heartbeat, the same in both directions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period: float
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Registers that are read or written in one request."""

    name: str
    address: int
    count: int
    registers: tuple[Register, ...]
    text: str


class RegisterMap(BaseModel):
    """All registers of a device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    map_version: int
    device_id: Annotated[int, Field(ge=1, le=247)]
    word_order: Literal["big", "little"]
    heartbeat: Heartbeat
    blocks: Mapping[str, _Block]
    registers: tuple[Register, ...]

    @model_validator(mode="after")
    def _check(self) -> RegisterMap:
        taken: dict[int, str] = {}
        for register in self.registers:
            for address in range(register.address, register.address + register.words):
                if address in taken:
                    raise ValueError(f"{register.name} lies over {taken[address]}")
                taken[address] = register.name
        return self

    def __getitem__(self, name: str) -> Register:
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"the register map has no {name}")

    def block(self, name: str) -> Block:
        """Return a block with its registers, by address."""
        ends = self.blocks[name]
        first, last = self[ends.first], self[ends.last]
        end = last.address + last.words
        inside = [r for r in self.registers if first.address <= r.address < end]
        return Block(
            name=name,
            address=first.address,
            count=end - first.address,
            registers=tuple(sorted(inside, key=lambda register: register.address)),
            text=ends.text,
        )

    def encode(self, name: str, value: Value) -> list[int]:
        """Return the registers' contents for ``value``; raises RegisterError."""
        return encode(self[name], value, self.word_order)

    def decode_block(self, block: Block, words: Sequence[int]) -> dict[str, Value]:
        """Return every value of ``block`` by name; raises RegisterError."""
        if len(words) != block.count:
            raise RegisterError(f"{block.name}: {len(words)} registers instead of {block.count}")
        values = {}
        for register in block.registers:
            at = register.address - block.address
            part = words[at : at + register.words]
            values[register.name] = decode(register, part, self.word_order)
        return values


def load_map(name: str, site: Path | None = None) -> RegisterMap:
    """Read the map that ships as ``config/devices/NAME.toml``, or the ``site``'s own file."""
    source = site or resources.files("config").joinpath("devices", f"{name}.toml")
    return RegisterMap.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))


def encode(register: Register, value: Value, word_order: Literal["big", "little"]) -> list[int]:
    """Return the registers' contents for ``value``; raises RegisterError where it does not fit."""
    if register.type is RegisterType.STRING:
        return _encode_string(register, value)
    number = _in_range(register, value)
    if register.type is not RegisterType.F32:
        number = round(number / register.scale)
    try:
        raw = struct.pack(_FORMATS[register.type], number)
    except (struct.error, OverflowError) as error:
        raise RegisterError(f"{register.name}: {value!r} does not fit {register.type}") from error
    return _ordered(list(struct.unpack(f">{register.words}H", raw)), word_order)


def decode(register: Register, words: Sequence[int], word_order: Literal["big", "little"]) -> Value:
    """Return the value in ``words``, scaled; raises RegisterError where it is out of range."""
    if register.type is RegisterType.STRING:
        return _decode_string(register, words)
    raw = struct.pack(f">{register.words}H", *_ordered(list(words), word_order))
    number: int | float = struct.unpack(_FORMATS[register.type], raw)[0]
    if register.type is not RegisterType.F32 and register.scale != 1.0:
        number *= register.scale
    return _in_range(register, number)


def crc16(words: Sequence[int]) -> int:
    """Return CRC-16/MODBUS of ``words``, high bytes first (Serial Line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in struct.pack(f">{len(words)}H", *words):
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def bits_set(register: Register, value: Value) -> tuple[str, ...]:
    """Return the names of the bits that are set; raises RegisterError for one without a name."""
    if not isinstance(value, int) or value >> len(register.bits):
        raise RegisterError(f"{register.name}: {value!r} has bits that the map does not name")
    return tuple(name for bit, name in enumerate(register.bits) if value >> bit & 1)


def _in_range(register: Register, value: Value) -> int | float:
    if isinstance(value, str) or not math.isfinite(value):
        raise RegisterError(f"{register.name}: {value!r} is not a number")
    low = -math.inf if register.low is None else register.low
    high = math.inf if register.high is None else register.high
    if not low <= value <= high:
        raise RegisterError(f"{register.name}: {value:g} is not within {low:g} to {high:g}")
    return value


def _encode_string(register: Register, value: Value) -> list[int]:
    try:
        raw = str(value).encode("ascii")
    except UnicodeEncodeError as error:
        raise RegisterError(f"{register.name}: {value!r} is not ASCII") from error
    if len(raw) > 2 * register.words or b"\0" in raw:
        raise RegisterError(f"{register.name}: {value!r} does not fit {register.words} registers")
    return list(struct.unpack(f">{register.words}H", raw.ljust(2 * register.words, b"\0")))


def _decode_string(register: Register, words: Sequence[int]) -> str:
    raw = struct.pack(f">{register.words}H", *words).rstrip(b"\0")
    text = raw.decode("ascii", errors="replace")
    if not text.isascii() or not (text.isprintable()):
        raise RegisterError(f"{register.name}: {raw!r} is not text")
    return text


def _ordered(words: list[int], word_order: Literal["big", "little"]) -> list[int]:
    return words if word_order == "big" else words[::-1]

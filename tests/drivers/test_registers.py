from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.registers import (
    Register,
    RegisterError,
    RegisterMap,
    RegisterType,
    bits_set,
    crc16,
    decode,
    encode,
    load_map,
)

ORDERS = st.sampled_from(["big", "little"])
INTEGERS = {
    RegisterType.U16: (0, 2**16 - 1),
    RegisterType.I16: (-(2**15), 2**15 - 1),
    RegisterType.U32: (0, 2**32 - 1),
    RegisterType.I32: (-(2**31), 2**31 - 1),
}


def register(kind: RegisterType, **more: object) -> Register:
    return Register(name="it", address=0, type=kind, access="read", restart="0", text="it", **more)


@given(st.sampled_from(list(INTEGERS)), ORDERS, st.data())
def test_integers_come_back(kind, order, data):
    low, high = INTEGERS[kind]
    value = data.draw(st.integers(low, high))
    assert decode(register(kind), encode(register(kind), value, order), order) == value
    for beyond in (low - 1, high + 1):
        with pytest.raises(RegisterError, match="does not fit"):
            encode(register(kind), beyond, order)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), ORDERS)
def test_floats_come_back(value, order):
    it = register(RegisterType.F32)
    assert decode(it, encode(it, value, order), order) == value


@given(st.integers(-1000, 1000), st.sampled_from([0.01, 0.1, 0.5, 2.0]))
def test_scaled_values_come_back_to_half_a_step(steps, scale):
    it = register(RegisterType.I16, scale=scale)
    assert decode(it, encode(it, steps * scale, "big"), "big") == pytest.approx(steps * scale)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8))
def test_strings_come_back(text):
    it = register(RegisterType.STRING, length=4)
    assert decode(it, encode(it, text, "big"), "big") == text


@pytest.mark.parametrize("text", ["123456789", "é", "a\0b"])
def test_strings_that_do_not_fit(text):
    with pytest.raises(RegisterError):
        encode(register(RegisterType.STRING, length=4), text, "big")


def test_string_that_is_noise():
    with pytest.raises(RegisterError, match="not text"):
        decode(register(RegisterType.STRING, length=1), [0x01FF], "big")


@pytest.mark.parametrize(
    ("order", "words"), [("big", [0x4048, 0xF5C3]), ("little", [0xF5C3, 0x4048])]
)
def test_word_order_of_a_known_float(order, words):
    assert encode(register(RegisterType.F32), 3.14, order) == words  # IEEE 754: 0x4048F5C3


@pytest.mark.parametrize("raw", [0x7FC00000, 0x7F800000, 0xFF800000])
def test_not_a_number_and_infinity_are_refused(raw):
    with pytest.raises(RegisterError, match="not a number"):
        decode(register(RegisterType.F32), [raw >> 16, raw & 0xFFFF], "big")


def test_range_is_that_of_the_scaled_value():
    it = register(RegisterType.U16, scale=0.1, low=0.0, high=100.0)
    assert decode(it, [1000], "big") == pytest.approx(100.0)
    with pytest.raises(RegisterError, match="within 0 to 100"):
        decode(it, [1001], "big")


def test_crc_of_a_published_frame():
    # "01 03 00 00 00 0A", the usual first example of the protocol: CRC bytes C5 CD on the wire.
    assert crc16([0x0103, 0x0000, 0x000A]) == 0xCDC5


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=40), st.data())
def test_crc_finds_every_changed_register(words, data):
    at = data.draw(st.integers(0, len(words) - 1))
    flip = data.draw(st.integers(1, 65535))
    damaged = [*words[:at], words[at] ^ flip, *words[at + 1 :]]
    assert crc16(damaged) != crc16(words)  # a burst of up to 16 bits


def test_bits_have_names():
    it = register(RegisterType.U16, bits=("a", "b", "c"))
    assert bits_set(it, 0b101) == ("a", "c")
    with pytest.raises(RegisterError, match="does not name"):
        bits_set(it, 0b1000)


# --- the map that ships ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def washer() -> RegisterMap:
    return load_map("washer")


def test_every_block_is_whole_and_ends_in_its_crc(washer):
    for name in washer.blocks:
        block = washer.block(name)
        assert sum(r.words for r in block.registers) == block.count
        assert block.registers[-1].name.endswith("_crc")


def test_no_block_is_larger_than_a_request_may_be(washer):
    assert all(washer.block(name).count <= 123 for name in washer.blocks)


def test_every_value_says_what_it_is_and_what_a_restart_does(washer):
    for entry in washer.registers:
        assert entry.text
        assert entry.restart
        constant = entry.access == "write" or entry.restart == "constant"
        assert entry.period is not None or constant


def test_a_block_of_another_length_is_refused(washer):
    block = washer.block("snapshot")
    with pytest.raises(RegisterError, match="27 registers instead of 28"):
        washer.decode_block(block, [0] * 27)


def test_a_site_may_have_its_own_map(washer, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        "map_version=1\ndevice_id=7\nword_order='little'\n"
        "[heartbeat]\nperiod=1.0\ntimeout=3.0\n[blocks]\n"
        "[[registers]]\nname='a'\naddress=0\ntype='u16'\naccess='read'\nrestart='0'\ntext='A'\n"
    )
    assert load_map("washer", path).device_id == 7
    assert load_map("washer", path)["a"].address == 0
    with pytest.raises(KeyError, match="no b"):
        load_map("washer", path)["b"]


@pytest.mark.parametrize(
    "entries",
    [
        [{"name": "a", "address": 0, "type": "f32"}, {"name": "b", "address": 1, "type": "u16"}],
        [{"name": "a", "address": 0, "type": "string"}],
        [{"name": "a", "address": 0, "type": "u16", "length": 2}],
        [{"name": "a", "address": 0, "type": "f32", "bits": ["x"]}],
        [{"name": "a", "address": 0, "type": "u16", "colour": "red"}],
    ],
)
def test_a_map_that_contradicts_itself_is_refused(entries):
    common = {"access": "read", "restart": "0", "text": "it"}
    with pytest.raises(ValidationError):
        RegisterMap.model_validate(
            {
                "map_version": 1,
                "device_id": 1,
                "word_order": "big",
                "heartbeat": {"period": 1.0, "timeout": 3.0},
                "blocks": {},
                "registers": [{**common, **entry} for entry in entries],
            }
        )


@given(st.integers(0, 2**32 - 1), ORDERS)
def test_words_are_those_that_struct_gives(value, order):
    high, low = struct.unpack(">HH", struct.pack(">I", value))
    expected = [high, low] if order == "big" else [low, high]
    assert encode(register(RegisterType.U32), value, order) == expected

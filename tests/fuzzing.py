"""Damaged files for every reader: bytes flipped, cut and repeated, members and fields replaced."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

#: What a field may become: types that do not belong, sizes that do not exist.
JUNK: Final[list[Any]] = [
    None, True, 0, -1, 1, 3, 2**31, 2**63, 10**30, -(10**400), 0.5, 1e308, float("nan"),
    float("inf"), "", "x", "../x", "a\0b", "\ud800", "float32", [], [None], [[]], {}, {"": None},
    "[" * 50_000,
]  # fmt: skip

#: Numbers at the ends of what headers store.
_ENDS: Final = [
    b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 4, b"\xff" * 8,
    b"\0" * 8, b"\x80" + b"\0" * 7, b"[" * 3000, b'{"a":' * 3000, b"\xef\xbb\xbf", b"nan", b"1e999",
]  # fmt: skip


def mutant(content: bytes, name: str, chance: random.Random) -> bytes:
    """Another content of a file called `name`; the same chance gives the same mutant."""
    structured = {".npz": _members, ".keras": _members, ".json": _fields, ".ernn": _sealed}
    ways: list[Callable[[bytes, random.Random], bytes]] = [_bytes]
    for suffix, way in structured.items():
        if name.endswith(suffix):
            ways += [way, way]
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        content = _changed(content, chance.choice(ways), chance)
    return content


def _changed(
    content: bytes, way: Callable[[bytes, random.Random], bytes], chance: random.Random
) -> bytes:
    try:
        return way(content, chance)
    except Exception:  # noqa: BLE001 - an earlier change has broken the structure: zipfile's turn
        return _bytes(content, chance)


def _bytes(content: bytes, chance: random.Random) -> bytes:
    if not content:
        return b"\0"
    near = chance.random() < 0.5  # headers stand at the ends of files
    place = min(int(chance.expovariate(1 / 64)), len(content) - 1)
    place = place if near else chance.randrange(len(content))
    place = len(content) - 1 - place if chance.random() < 0.2 else place
    length = min(int(chance.expovariate(1 / 16)) + 1, len(content) - place)
    match chance.randrange(6):
        case 0:
            changed = bytearray(content)
            changed[place] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case 1:
            return content[:place]
        case 2:
            return content[:place] + content[place + length :]
        case 3:
            return content[: place + length] + content[place:]
        case 4:
            end = chance.choice(_ENDS)
            return content[:place] + end + content[place + len(end) :]
        case _:
            return content[:place] + chance.randbytes(length) + content[place + length :]


def _sealed(content: bytes, chance: random.Random) -> bytes:
    """Bytes of an .ernn file damaged; its size and checksum are right again."""
    version, body = content[:8], _bytes(content[16:], chance)
    return version + struct.pack("<2I", 16 + len(body), zlib.crc32(body)) + body


def _members(content: bytes, chance: random.Random) -> bytes:
    """One member of the archive damaged, renamed or gone; checksums are right again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    chosen = chance.randrange(len(members))
    name, inside = members[chosen]
    match chance.randrange(8):
        case 0:
            del members[chosen]
        case 1:
            members[chosen] = (chance.choice(["x.npy", "../" + name, name + "x"]), inside)
        case 2:
            members.append((name + "2", inside))
        case _:
            is_json = name.endswith(".json")
            way = _fields if is_json and chance.random() < 0.8 else _bytes
            members[chosen] = (name, way(inside, chance))
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", chance.choice([0, 8])) as archive:
        warnings.simplefilter("ignore")  # two members of one name are meant
        for one, data in members:
            archive.writestr(one, data)
    return packed.getvalue()


def _fields(content: bytes, chance: random.Random) -> bytes:
    """One value of a JSON document replaced, or a key gone."""
    document = copy.deepcopy(json.loads(content))
    place = document
    while isinstance(place, dict | list) and place:
        key = (
            chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
        )
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.2:
            if chance.random() < 0.2:
                del place[key]
            else:
                place[key] = chance.choice(JUNK)
            return json.dumps(document).encode()
        place = inner
    return json.dumps(chance.choice(JUNK)).encode()

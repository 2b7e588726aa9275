"""The machine's time zones as SQL for MariaDB's tables, so that zones can be called by name.

MariaDB's own mariadb-tzinfo-to-sql is in the package of its clients, and writes each zone of each
kind with every change since 1800. Here is what the engine can make use of: times since 1970, and
the data of zones with several names once. Format: RFC 8536.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path("/usr/share/zoneinfo")
MAGIC = b"TZif"
HEADER = struct.Struct(">4sc15x6l")
TYPE = struct.Struct(">lbB")
OTHER_KINDS = frozenset({"posix", "right", "localtime", "posixrules"})
"""Below the directory: the same zones again, with leap seconds or without, and links."""
ROWS = 1000
"""Of one statement: the bootstrap takes 60,000 bytes at most."""
COLUMNS = {
    "time_zone": "Time_zone_id, Use_leap_seconds",
    "time_zone_name": "Name, Time_zone_id",
    "time_zone_transition": "Time_zone_id, Transition_time, Transition_type_id",
    "time_zone_transition_type": "Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation",
}

# Once, instead of by each statement, which takes twice as much of the processor.
LOCK = f"LOCK TABLES {', '.join(f'mysql.{table} WRITE' for table in COLUMNS)};\n"
UNLOCK = "UNLOCK TABLES;\n"


class Zone(NamedTuple):
    """What a file says."""

    changes: tuple[tuple[int, int], ...]
    """Unix time, and the number of the kind of time from then on: the last one before 1970 too."""
    kinds: tuple[tuple[int, int, str], ...]
    """Seconds east of UTC, whether it is summer time, abbreviation."""


def statements_of(directory: Path = DIRECTORY) -> str:
    """SQL that fills the empty tables; nothing where the machine has no time zones."""
    numbers: dict[bytes, int] = {}
    zones: list[Zone] = []
    names: list[str] = []
    for name, data in _files_in(directory):
        if data not in numbers:
            try:
                zones.append(zone_in(data))
            except (struct.error, ValueError):
                continue  # not to be understood, as with mariadb-tzinfo-to-sql
            numbers[data] = len(zones)
        names.append(f"('{name}',{numbers[data]})")
    changes = (
        f"({number},{at},{kind})"
        for number, zone in enumerate(zones, 1)
        for at, kind in zone.changes
    )
    kinds = (
        f"({number},{kind},{offset},{is_summer},'{short}')"
        for number, zone in enumerate(zones, 1)
        for kind, (offset, is_summer, short) in enumerate(zone.kinds)
    )
    numbered = (f"({number},'N')" for number in range(1, len(zones) + 1))
    parts = zip(COLUMNS, (numbered, names, changes, kinds), strict=True)
    inserts = "".join(line for table, rows in parts for line in _inserts(table, rows))
    return f"{LOCK}{inserts}{UNLOCK}" if inserts else ""


def zone_in(data: bytes) -> Zone:
    """What a file of version 2 or newer says; raises struct.error or ValueError if it is cut."""
    _, _, utc, standard, leaps, changes, kinds, letters = HEADER.unpack_from(data)
    # The first part has times of 32 bits; the second is like it, with 64.
    at = HEADER.size + changes * 5 + kinds * TYPE.size + letters + leaps * 8 + standard + utc
    _, _, utc, standard, leaps, changes, kinds, letters = HEADER.unpack_from(data, at)
    at += HEADER.size
    times = struct.unpack_from(f">{changes}q", data, at)
    numbers = data[at + changes * 8 : at + changes * 9]
    at += changes * 9
    names = data[at + kinds * TYPE.size :][:letters]
    found = [TYPE.unpack_from(data, at + number * TYPE.size) for number in range(kinds)]
    first = max(sum(time <= 0 for time in times) - 1, 0)
    return Zone(
        tuple(zip(times[first:], numbers[first:], strict=True)),
        tuple((offset, summer, _word_at(names, place)) for offset, summer, place in found),
    )


def _files_in(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents, in order."""
    found = (Path(top) / name for top, _, names in os.walk(directory) for name in names)
    for path in sorted(found):
        name = path.relative_to(directory)
        if name.parts[0] in OTHER_KINDS or not path.is_file():
            continue
        data = path.read_bytes()
        # Version 1 has no second part. Names are those of files: nothing that would be quoted.
        if data.startswith(MAGIC) and data[4:5] >= b"2" and "'" not in str(name):
            yield str(name), data


def _word_at(names: bytes, place: int) -> str:
    return names[place:].partition(b"\0")[0].decode("ascii", "replace")


def _inserts(table: str, rows: Iterable[str]) -> Iterator[str]:
    every = list(rows)
    for start in range(0, len(every), ROWS):
        # In lines, of which the bootstrap does not read long ones whole.
        values = ",\n".join(every[start : start + ROWS])
        # Of our own words, numbers, and names that were checked.
        yield f"INSERT INTO mysql.{table} ({COLUMNS[table]}) VALUES {values};\n"  # noqa: S608

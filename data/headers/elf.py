# SPDX-License-Identifier: Apache-2.0
"""Reads the exported functions of a 64-bit little-endian ELF shared library."""

import struct

SHT_DYNSYM = 11
STT_FUNC, STB_LOCAL = 2, 0


def exported_functions(image):
    """Returns the names of the defined, non-local functions in the dynamic symbol table of `image`, a file's bytes."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", image, 40)
    entry_size, count = struct.unpack_from("<HH", image, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, table + i * entry_size) for i in range(count)]
    names = set()
    for section in (s for s in sections if s[1] == SHT_DYNSYM):
        strings = sections[section[6]][4]
        for offset in range(section[4], section[4] + section[5], 24):
            name, info, _, index = struct.unpack_from("<IBBH", image, offset)
            if info & 15 == STT_FUNC and info >> 4 != STB_LOCAL and index:
                start = strings + name
                names.add(image[start : image.index(b"\0", start)].decode())
    return names

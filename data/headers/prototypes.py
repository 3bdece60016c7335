# SPDX-License-Identifier: Apache-2.0
"""Reads C headers: function prototypes, doxygen groups, enumerators and the driver's PFN_ typedefs."""

import re
import subprocess
from dataclasses import dataclass

API_NAME = r"(?:cu[A-Z]|cuda[A-Z]|__cuda[A-Z]|nvml[A-Z]|p?nccl[A-Z])\w*"
# Macros that do not affect a prototype. The headers that define them are not read.
EMPTY_MACROS = ["__host__", "__device__", "__cudart_builtin__", "CUDARTAPI", "CUDARTAPI_CDECL", "CUDAAPI", "DECLDIR",
                "__dv(v)", "extern", "__inline__", "NCCL_EXTERN_C"]
MARK = "cudafault_mark_{}"


@dataclass(frozen=True)
class Prototype:
    name: str
    returns: str
    parameters: tuple


def preprocess(texts, defines):
    """Runs the C preprocessor over the texts of headers without their #include lines. Returns one output per header."""
    source = []
    for index, text in enumerate(texts):
        source += [MARK.format(index), re.sub(r"^[ \t]*#[ \t]*include\b.*$", "", text, flags=re.M)]
    command = ["cc", "-E", "-P", "-w", "-x", "c", "-"]
    command += [f"-D{macro}=" for macro in EMPTY_MACROS] + [f"-D{define}" for define in defines]
    done = subprocess.run(command, input="\n".join(source), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the C preprocessor failed: {done.stderr.strip().splitlines()[0]}")
    return re.split("|".join(MARK.format(i) + r"\b" for i in range(len(texts))), done.stdout)[1:]


def without_bodies(text):
    """Removes everything between braces. `@body` marks the end of a function's body."""
    kept, depth = [], 0
    for piece in re.split(r"([{}])", text):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            kept.append(" @body ")
        elif depth == 0:
            kept.append(piece)
    return "".join(kept)


def split_parameters(text):
    """Splits the parameters of a prototype at commas outside parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    parts = [" ".join(part.split()) for part in parts]
    return () if parts in (["void"], [""]) else tuple(parts)


def prototypes(text):
    """Returns name -> Prototype of every API function that a preprocessed header declares."""
    found = {}
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|__declspec\s*\([^()]*\)", " ", text)
    pattern = re.compile(rf"([\w\s*]*?[\s*])({API_NAME})\s*\((.*)\)\s*", re.S)
    for statement in without_bodies(text).split(";"):
        match = pattern.fullmatch(statement.split("@body")[-1].strip())
        if match and not match[1].strip().startswith(("typedef", "static")):
            found[match[2]] = Prototype(match[2], " ".join(match[1].split()), split_parameters(match[3]))
    return found


def declared(texts, defines, which):
    """Returns the prototypes in texts[which], preprocessed after the preceding texts, once for each set of macros."""
    found = {}
    for names in defines:
        found.update(prototypes(preprocess(texts[: which + 1], names)[which]))
    return found


def groups(text):
    """Returns function name -> innermost doxygen group that is open at the function's first declaration."""
    found, stack, named = {}, [], None
    token = re.compile(rf"[\\@](?:defgroup|addtogroup)\s+(\w+)|@([{{}}])|\b({API_NAME})\s*\(|^\s*#", re.M)
    in_code = strip_comments_keeping_groups(text)
    for match in token.finditer(in_code):
        if match[1]:
            named = match[1]
        elif match[2] == "{":
            stack.append(named)
        elif match[2] == "}":
            stack = stack[:-1]
        elif match[3]:
            found.setdefault(match[3], stack[-1] if stack else None)
    return {name: group for name, group in found.items() if group}


def strip_comments_keeping_groups(text):
    """Removes comments but keeps their group commands, so that a name in prose is not read as a declaration."""
    command = re.compile(r"[\\@](?:defgroup|addtogroup)\s+\w+|@[{}]")
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda match: " ".join(command.findall(match[0])), text, flags=re.S)


def enumerators(text, enum_type):
    """Returns name -> value of the enumerators of `enum_type` (a tag or typedef name)."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    by_tag = rf"enum\s+(?:__device_builtin__\s+)?{enum_type}\s*\{{([^}}]*)\}}"
    by_typedef = rf"enum\s*\w*\s*\{{([^}}]*)\}}\s*{enum_type}\s*;"
    body = re.search(f"{by_tag}|{by_typedef}", text)
    if not body:
        raise ValueError(f"enum {enum_type} not found in the header")
    values, following = {}, 0
    for item in (body[1] or body[2]).split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name:
            continue
        if value:
            following = values[value] if value in values else int(value, 0)
        values[name.split()[0]] = following
        following += 1
    return values


def typedefs(text):
    """Returns (symbol, version, per_thread) of every PFN_<symbol>_v<version>[_ptds|_ptsz] typedef."""
    pattern = r"\bPFN_(cu\w+?)_v(\d+)(?:_(ptds|ptsz))?\)\s*\("
    return {(match[1], int(match[2]), bool(match[3])) for match in re.finditer(pattern, text)}

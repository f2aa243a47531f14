# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the doc comments of the public headers.

A comment that begins with two stars documents what follows it:

    /** DOC: lease.h - who owns which subnet          the header itself
    /** flannel_lease_ref() - take one more reference  a function
    /** struct flannel_lease_fields - ...             also enum, a macro or a function type by its bare name

then `@name: text` for each parameter, member or value, free text, `Return:`, `Since:` and `See also:`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

COMMENT = re.compile(r"/\*\*(?!\*)(.*?)\*/", re.S)
HEADLINE = re.compile(r"(?:(DOC):\s*(\S+)|(struct|enum)\s+(\w+)|(\w+)\(\)|(\w+))\s+-\s+(.*)", re.S)
PARAMETER = re.compile(r"@(\w+):\s*(.*)")
PUBLIC = re.compile(r"^FLANNEL_PUBLIC\b(.*?);", re.S | re.M)
FUNCTION_NAME = re.compile(r"(\w+)\s*\(")


@dataclass
class Item:
    """One documented thing of a header."""

    kind: str  # doc, function, struct, enum, macro, type
    name: str
    brief: str
    line: int
    parameters: list = field(default_factory=list)  # (name, text)
    text: list = field(default_factory=list)  # lines
    returns: list = field(default_factory=list)  # lines
    since: str = ""
    see_also: list = field(default_factory=list)
    declaration: str = ""


@dataclass
class Header:
    """A public header: its items in order, and the names of all functions that it exports, with their lines."""

    path: Path
    items: list
    exported: dict

    @property
    def about(self):
        """The DOC item, or None."""
        return next((item for item in self.items if item.kind == "doc"), None)

    def of_kind(self, *kinds):
        """Items of these kinds, in order."""
        return [item for item in self.items if item.kind in kinds]


def line_of(text, offset):
    """Line number of a position."""
    return text.count("\n", 0, offset) + 1


def comment_lines(raw):
    """The text of a comment without its stars, indentation below the star's kept."""
    lines = []
    for line in raw.strip().split("\n"):
        stripped = line.strip()
        if stripped.startswith("*"):
            stripped = stripped[1:]
            stripped = stripped[1:] if stripped.startswith(" ") else stripped
        lines.append(stripped.rstrip())
    return lines


def split_tail(item, lines):
    """Takes Since: and See also: out of the last lines and divides the rest into text and Return:."""
    body = "\n".join(lines)
    match = re.search(r"\bSince:\s*(\d+\.\d+)\.?", body)
    if match:
        item.since = match.group(1)
    match = re.search(r"\bSee also:\s*(.*)\Z", body, re.S)
    if match:
        item.see_also = re.findall(r"\w+(?=\(\))", match.group(1))
    body = re.sub(r"\bSee also:.*\Z", "", body, flags=re.S)
    body = re.sub(r"\s*\bSince:\s*\d+\.\d+\.?", "", body)
    text, mark, returns = body.partition("Return:")
    item.text = text.strip("\n").rstrip().split("\n") if text.strip() else []
    item.returns = returns.strip().split("\n") if mark else []


def parse_body(item, lines):
    """Fills an item from the lines below its headline: parameters first, then the rest."""
    rest = []
    current = None
    in_parameters = True
    for line in lines:
        match = PARAMETER.match(line) if in_parameters else None
        if match:
            current = len(item.parameters)
            item.parameters.append((match.group(1), match.group(2)))
        elif in_parameters and current is not None and line.startswith(" "):
            name, text = item.parameters[current]
            item.parameters[current] = (name, (text + " " + line.strip()).strip())
        else:
            in_parameters = in_parameters and not line
            current = None
            rest.append(line)
    split_tail(item, rest)


def declaration_after(text, offset, kind):
    """The declaration that follows a comment, with its white space squeezed for functions."""
    rest = text[offset:].lstrip()
    if rest.startswith("#define"):
        return rest.split("\n", 1)[0]
    depth = 0
    for i, char in enumerate(rest):
        depth += (char in "{(") - (char in "})")
        if char == ";" and depth == 0:
            rest = rest[: i + 1]
            break
    if kind != "function":
        return rest
    return re.sub(r"\s+", " ", re.sub(r"^FLANNEL_PUBLIC\s+", "", rest))


def parse_comment(text, match):
    """One item from one doc comment, or None if the comment has no headline of a known form."""
    lines = comment_lines(match.group(1))
    head = HEADLINE.match(lines[0])
    if not head:
        return None
    doc, doc_name, kind, tag, function, bare, brief = head.groups()
    if not kind:
        kind = "doc" if doc else "function" if function else "macro"
    name = doc_name or tag or function or bare
    body = lines[1:]
    if brief.startswith("@"):  # all in one line: the value is described, not the thing
        brief, body = "", [brief] + body
    while body and body[0] and not body[0].startswith("@") and kind != "doc":
        brief += " " + body.pop(0).strip()
    item = Item(kind, name, brief, line_of(text, match.start()))
    item.declaration = "" if kind == "doc" else declaration_after(text, match.end(), kind)
    if kind == "macro" and item.declaration.startswith("typedef"):
        item.kind = "type"
    parse_body(item, body)
    return item


def read_header(path):
    """Parses one header."""
    text = Path(path).read_text(encoding="utf-8")
    items = [item for item in (parse_comment(text, match) for match in COMMENT.finditer(text)) if item]
    exported = {}
    for match in PUBLIC.finditer(text):
        exported[FUNCTION_NAME.search(match.group(1)).group(1)] = line_of(text, match.start())
    return Header(Path(path), items, exported)


def read_headers(directory):
    """Parses all headers of a directory, sorted by name."""
    return [read_header(path) for path in sorted(Path(directory).glob("*.h"))]


def parameter_names(declaration):
    """Names of a function's parameters, () for (void)."""
    inside = declaration[declaration.index("(") + 1 : declaration.rindex(")")]
    names = []
    for parameter in filter(None, (part.strip() for part in inside.split(","))):
        if parameter != "void":
            names.append(re.search(r"(\w+)\s*(?:\[[^]]*\])?$", parameter).group(1))
    return names


def member_names(declaration):
    """Names of a struct's members or an enum's values."""
    inside = declaration[declaration.index("{") + 1 : declaration.rindex("}")]
    inside = re.sub(r"/\*.*?\*/", "", inside, flags=re.S)
    if declaration.startswith("enum"):
        return re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", inside.strip())
    names = []
    for member in filter(None, (part.strip() for part in inside.split(";"))):
        pointer = re.search(r"\(\*(\w+)\)", member)
        names.append(pointer.group(1) if pointer else re.search(r"(\w+)\s*(?:\[[^]]*\])?$", member).group(1))
    return names

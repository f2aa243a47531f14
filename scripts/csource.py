# SPDX-License-Identifier: LGPL-2.1-or-later
"""Just enough of C to check rules about it: text without comments and literals, functions, top-level declarations, calls."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|/\*.*?\*/|[^\n])*", re.S | re.M
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


@dataclass
class Function:
    """A function with a body; lines count from 1, offsets are those of the bare text."""

    name: str
    first_line: int
    last_line: int
    start: int
    end: int

    @property
    def n_lines(self):
        """Lines from the name to the closing brace."""
        return self.last_line - self.first_line + 1


def blank(text):
    """As many spaces and line ends as the text has."""
    return re.sub(r"[^\n]", " ", text)


def bare(text):
    """The source without comments, literals and preprocessor lines; every offset and line stays where it was."""

    def replace(match):
        token = match.group(0)
        return f'"{blank(token[1:-1])}"' if token[0] == '"' else blank(token)

    return TOKEN.sub(replace, text)


def line_of(text, offset):
    """Line number of a position."""
    return text.count("\n", 0, offset) + 1


def includes(text):
    """(line, is_system, name) of each include."""
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start(2)), match.group(1) == "<", match.group(2)


def top_level(code):
    """Divides bare text into (start, end, body) pieces at depth 0; body is the offset of "{" or -1.

    A piece ends at a semicolon, or at the closing brace of what may be a function.
    """
    start, depth, body, i = 0, 0, -1, 0
    while i < len(code):
        char = code[i]
        if char == "{":
            if depth == 0:
                body = i
            depth += 1
        elif char == "}":
            # a brace in the first column always closes the outermost block, whatever #if did to the count
            depth = 0 if i == 0 or code[i - 1] == "\n" else max(depth - 1, 0)
            if depth == 0 and is_function_head(code[start:body]):
                yield start, i + 1, body
                start, body = i + 1, -1
        elif char == ";" and depth == 0:
            yield start, i + 1, body
            start, body = i + 1, -1
        i += 1


def is_function_head(head):
    """Does what stands before a brace begin a function (and not an initialiser or a type)?"""
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head, flags=re.S).strip()
    return head.endswith(")") and not re.search(r"(?<![=!<>])=(?!=)", re.sub(r"\(.*\)", "", head, flags=re.S))


def head_name(head):
    """(offset, name) in a function's head: the last word before a bracket at depth 0 that is no attribute."""
    depth, found = 0, None
    for match in re.finditer(r"(\w+)\s*\(|[()]", head):
        if match.group(0) == ")":
            depth -= 1
            continue
        if depth == 0 and match.group(1) and match.group(1) != "__attribute__":
            found = match
        depth += 1
    return (found.start(), found.group(1)) if found else (len(head), "?")


def functions(code):
    """The functions of bare text."""
    for start, end, body in top_level(code):
        if body < 0 or not is_function_head(code[start:body]):
            continue
        offset, name = head_name(code[start:body])
        yield Function(name, line_of(code, start + offset), line_of(code, end - 1), body, end)


def calls(code, names):
    """(line, name, arguments) of each call of one of the names; members of that name do not count."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    for match in pattern.finditer(code):
        depth, end = 1, match.end()
        while end < len(code) and depth:
            depth += (code[end] == "(") - (code[end] == ")")
            end += 1
        yield line_of(code, match.start()), match.group(1), code[match.end() : end - 1]

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the arrows between the folders, and two rules a compiler cannot keep.

usage: check_layers.py ROOT

1. Every #include of ours goes along an arrow of layers.txt; outside headers stay in the rooms they belong to.
2. DOPPEL_TRY stands alone: an early return from inside braces leaks the members already built.
3. Every source starts with the licence line; no file holds a path of the machine it was written on.

Prints one line per breach, FILE:LINE: what, and exits 1 if there is any.
"""
import os
import pathlib
import re
import sys

TOP = ("snapshot", "dumpwriter", "cli")
SOURCES = (".h", ".cc", ".h.in")


def read_layers(path):
    allowed, only = {}, []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("only "):
            prefix, *files = line.split()[1:]
            only.append((prefix, files))
        elif line:
            module, rest = line.split(":", 1)
            ours, refused = rest.split("|")
            allowed[module] = (ours.split(), refused.split())
    return allowed, only


def module_of(path, modules):
    """The longest module that is `path`'s folder or its stem."""
    stem = path.rsplit(".", 1)[0]
    found = [m for m in modules if path.startswith(m + "/") or stem == m]
    return max(found, key=len, default=None)


def check_includes(path, text, layers):
    allowed, only = layers
    module = module_of(path, allowed)
    if module is None:
        yield 1, "belongs to no module of layers.txt"
        return
    ours, refused = allowed[module]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        header = match[2]
        if match[1] == '"':
            yield number, f'include "{header}": write the path from the root in angle brackets'
        elif header.split("/")[0] in TOP:
            to = module_of(header, allowed)
            if to is None:
                yield number, f"{header} belongs to no module of layers.txt"
            elif to != module and to not in ours and "*" not in ours:
                yield number, f"{module} must not include {to} ({header})"
        elif any(header.startswith(prefix) for prefix in refused):
            yield number, f"{module} must not include <{header}>"
        for prefix, files in only:
            if header.startswith(prefix) and not any(path.startswith(file) for file in files):
                yield number, f"<{header}> only in {', '.join(files)}"


def opens_initialiser(code, brace):
    """Whether the '{' at `brace` opens an initialiser (Type{, = {, f({) and not a block."""
    before = code[:brace].rstrip()
    if not before or before[-1] in ");{}:":
        return False
    if re.search(r"\b(?:else|do|try|const|noexcept|override|final|mutable)$", before):
        return False
    # A lambda's or a function's return type: ") -> Result<> {".
    return not re.search(r"\)[\w\s]*->\s*[\w:<>&*, ]+$", before)


def statement_before(code, at):
    """What stands between the start of the statement and `at`; None when `at` is inside parentheses or an initialiser."""
    depth, i = 0, at - 1
    while i >= 0:
        c = code[i]
        if c in ")]":
            depth += 1
        elif c in "([":
            if depth == 0:
                return None
            depth -= 1
        elif depth == 0 and c == "{":
            return None if opens_initialiser(code, i) else code[i + 1 : at]
        elif depth == 0 and c in ";}":
            break
        i -= 1
    return code[i + 1 : at]


def end_of_parentheses(code, i):
    """One past the ')' that closes the '(' before `i`."""
    depth = 1
    while depth and i < len(code):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        i += 1
    return i


def without_guards(text):
    """`text` without the labels, conditions and loops that may stand before a statement."""
    while True:
        text = text.lstrip()
        if label := re.match(r"(?:case\b(?:[^:]|::)*:(?!:)|default\s*:|else\b|do\b)", text):
            text = text[label.end() :]
        elif guard := re.match(r"(?:if|for|while)\s*(?:constexpr\s*)?\(", text):
            text = text[end_of_parentheses(text, guard.end()) :]
        else:
            return text.strip()


def check_try(text):
    """DOPPEL_TRY is a whole statement, or all that follows the '=' of a declaration or an assignment."""
    code = re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|^\s*#.*$', lambda m: " " * len(m[0]), text, flags=re.M)
    for match in re.finditer(r"\bDOPPEL_TRY\s*\(", code):
        number = code.count("\n", 0, match.start()) + 1
        before = statement_before(code, match.start())
        if before is None:
            yield number, "DOPPEL_TRY must not stand inside parentheses or an initialiser"
            continue
        before = without_guards(before)
        if before not in ("", "(void)") and not re.search(r"[\w\])>&*]\s*=$", before):
            yield number, "DOPPEL_TRY must be a whole statement or a whole right-hand side"
            continue
        if not re.match(r"\s*;", code[end_of_parentheses(code, match.end()) :]):
            yield number, "DOPPEL_TRY must end its statement"


def check_hygiene(path, text):
    if path == "tests/targets/sleepers.cc" and len(text) < 20:
        return  # a placeholder of an hour
    if path.endswith(SOURCES) and not text.startswith("// SPDX-License-Identifier: Apache-2.0\n"):
        yield 1, "must start with the SPDX line"
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"(?<![\w.])/(?:work|home|root|mnt|Users)/[A-Za-z]", line):
            yield number, "holds a path of one machine"


def files_below(root):
    """Paths of the tree's own files: no build, no repository, no caches."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in ("build", ".git", "__pycache__"))
        for file in sorted(files):
            if file == ".git":  # a work tree's pointer to its repository
                continue
            yield (pathlib.Path(folder) / file).relative_to(root).as_posix()


def main():
    root = pathlib.Path(sys.argv[1])
    layers = read_layers(root / "tests/layering/layers.txt")
    breaches = count = 0
    for path in files_below(root):
        file = root / path
        if not file.is_file() or file.stat().st_size > 1 << 20:
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        count += 1
        found = list(check_hygiene(path, text))
        if path.endswith(SOURCES):
            found += check_try(text)
            if path.split("/")[0] in TOP:
                found += check_includes(path, text, layers)
        for number, what in found:
            print(f"{path}:{number}: {what}")
            breaches += 1
    print(f"{count} files, {breaches} breaches")
    return 1 if breaches or not count else 0


if __name__ == "__main__":
    sys.exit(main())

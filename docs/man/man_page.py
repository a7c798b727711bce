#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# The manual page is written in Markdown, which people can read in the repository; this turns the
# few forms used there into man(7). Anything else is an error: better no page than a wrong one.
#
# usage: man_page.py IN.md OUT.1 VERSION
import re
import sys


def inline(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fR", text)
    text = re.sub(r"\*(.+?)\*", r"\\fI\1\\fR", text)
    # A line that starts with a control character would be taken for a request.
    return "\\&" + text if text.startswith((".", "'")) else text


def convert(lines, version):
    out = []
    blocks = "\n".join(lines).strip().split("\n\n")
    for block in blocks:
        if block.startswith("# "):
            name, section, short, manual = re.fullmatch(
                r'# (\S+) (\d) "(.+)" "(.+)"', block).groups()
            out.append(f'.TH {name} {section} "" "{short} {version}" "{manual}"')
        elif block.startswith("## "):
            out.append(f".SH {block[3:]}")
        elif "\n: " in block:
            term, text = block.split("\n: ", 1)
            if "\n" in term or "\n" in text:
                raise SystemExit(f"a term and one line are wanted: {block!r}")
            out += [".TP", inline(term), inline(text)]
        elif "\n" in block or block.startswith(("-", "#", ">", "`", "|")):
            raise SystemExit(f"not one of the forms of this page: {block!r}")
        else:
            out += [".PP", inline(block)]
    return "\n".join(out) + "\n"


def main():
    source, target, version = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        page = convert(file.read().splitlines(), version)
    with open(target, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A check that cannot fail proves nothing: each rule of check_layers.py against a breach and a near miss."""
import pathlib
import unittest

import check_layers

LAYERS = check_layers.read_layers(pathlib.Path(__file__).with_name("layers.txt"))


def includes(path, *headers):
    text = "".join(f"#include <{header}>\n" for header in headers)
    return [what for _, what in check_layers.check_includes(path, text, LAYERS)]


class Arrows(unittest.TestCase):
    def test_along_an_arrow(self):
        self.assertEqual(includes("snapshot/model/a.cc", "vector", "snapshot/support/result.h", "snapshot/model/b.h"), [])
        self.assertEqual(includes("dumpwriter/sink/a.cc", "zstd.h", "sys/stat.h"), [])
        self.assertEqual(includes("dumpwriter/formats.cc", "dumpwriter/elf/core_format.h"), [])
        self.assertEqual(includes("cli/capture.cc", "snapshot/linux/linux_backend.h", "dumpwriter/read/open_dump.h"), [])

    def test_against_an_arrow(self):
        for path, header in [
            ("snapshot/support/a.h", "snapshot/model/address.h"),
            ("snapshot/model/a.h", "dumpwriter/plan/dump_plan.h"),
            ("snapshot/linux/a.cc", "dumpwriter/elf/notes.h"),
            ("dumpwriter/plan/a.h", "dumpwriter/sink/sink.h"),
            ("dumpwriter/sink/a.h", "snapshot/model/memory.h"),
            ("dumpwriter/job/a.cc", "dumpwriter/elf/core_format.h"),
            ("dumpwriter/read/a.cc", "snapshot/linux/linux_backend.h"),
            ("snapshot/linux/a.cc", "cli/message.h"),
        ]:
            self.assertEqual(len(includes(path, header)), 1, f"{path} -> {header}")

    def test_outside_headers_have_their_rooms(self):
        self.assertTrue(includes("snapshot/model/a.h", "unistd.h"))
        self.assertTrue(includes("dumpwriter/elf/a.cc", "sys/stat.h"))
        self.assertTrue(includes("cli/capture.cc", "CLI/CLI.hpp"))
        self.assertEqual(includes("cli/arguments.cc", "CLI/CLI.hpp"), [])
        self.assertTrue(includes("dumpwriter/job/a.cc", "llvm/Object/ELF.h"))
        self.assertEqual(includes("dumpwriter/read/a.cc", "llvm/Object/ELF.h"), [])

    def test_a_new_folder_must_be_entered(self):
        self.assertTrue(includes("snapshot/elsewhere/a.h", "vector"))
        self.assertTrue(includes("cli/a.cc", "snapshot/elsewhere/a.h"))

    def test_quotes_are_refused(self):
        self.assertTrue(list(check_layers.check_includes("cli/a.cc", '#include "b.h"\n', LAYERS)))


class TryStandsAlone(unittest.TestCase):
    def check(self, statement):
        return list(check_layers.check_try("void f() {\n  " + statement + "\n}\n"))

    def test_alone(self):
        for statement in [
            "DOPPEL_TRY(f());",
            "(void)DOPPEL_TRY(f());",
            "auto x = DOPPEL_TRY(f(a, g(b)));",
            "const std::span<const std::byte> x = DOPPEL_TRY(take(n));",
            "x.y_[3] = DOPPEL_TRY(f());",
            "if (a && (b || c)) DOPPEL_TRY(f());",
            "for (int i = 0; i < n; ++i) DOPPEL_TRY(f(i));",
            "switch (k) { case Kind::one: DOPPEL_TRY(f()); break; default: DOPPEL_TRY(g()); }",
            "const auto run = [&]() -> Result<> { DOPPEL_TRY(f()); return {}; };",
            "if (x) { DOPPEL_TRY(f()); } else { DOPPEL_TRY(g()); }",
            "// Agg a{DOPPEL_TRY(f())}; in a comment",
        ]:
            self.assertEqual(self.check(statement), [], statement)

    def test_not_alone(self):
        for statement in [
            "Agg a{Guard{}, DOPPEL_TRY(f())};",
            "Agg a = {DOPPEL_TRY(f())};",
            "g(DOPPEL_TRY(f()));",
            "x = static_cast<int>(DOPPEL_TRY(f()));",
            "return DOPPEL_TRY(f());",
            "auto x = DOPPEL_TRY(f()) + 1;",
            "auto x = 1 + DOPPEL_TRY(f());",
            "if (x == DOPPEL_TRY(f())) g();",
            "auto n = DOPPEL_TRY(f()).size();",
            "g({.a = DOPPEL_TRY(f())});",
        ]:
            self.assertEqual(len(self.check(statement)), 1, statement)


class Hygiene(unittest.TestCase):
    def check(self, path, text):
        return list(check_layers.check_hygiene(path, text))

    def test_licence_line(self):
        self.assertTrue(self.check("a.cc", "int main() {}\n"))
        self.assertEqual(self.check("a.cc", "// SPDX-License-Identifier: Apache-2.0\n"), [])
        self.assertEqual(self.check("a.md", "# text\n"), [])

    def test_paths_of_one_machine(self):
        self.assertTrue(self.check("a.md", "see /" + "home/me/notes\n"))
        self.assertEqual(self.check("a.md", "see /proc/self/maps, docs/work/x and ./home/x\n"), [])


if __name__ == "__main__":
    unittest.main()

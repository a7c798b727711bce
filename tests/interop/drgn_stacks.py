# SPDX-License-Identifier: Apache-2.0
#
# drgn_stacks.py CORE PROGRAM: the stack of every thread of a core, by drgn.
import sys

import drgn

program = drgn.Program()
program.set_core_dump(sys.argv[1])
try:
    program.load_debug_info([sys.argv[2]], default=True)
except drgn.MissingDebugInfoError as error:
    print("missing: %s" % error)
count = 0
for thread in program.threads():
    print("thread %d" % thread.tid)
    for frame in thread.stack_trace():
        try:
            print("  %s" % (frame.name or hex(frame.pc)))
        except LookupError:
            print("  (no program counter)")
    count += 1
print("threads %d" % count)

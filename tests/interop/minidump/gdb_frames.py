# SPDX-License-Identifier: Apache-2.0
#
# Runs inside gdb: for each thread its id and the program counters of its frames; frames that the compiler inlined or
# replaced by a jump have no counter of their own and are left out.
import gdb

gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.ptid[1]):
    thread.switch()
    counters = []
    frame = gdb.newest_frame()
    group = None
    while frame is not None:
        if frame.type() != gdb.TAILCALL_FRAME:
            group = frame.pc() if group is None else group
            if frame.type() != gdb.INLINE_FRAME:
                counters.append("0x%x" % group)
                group = None
        frame = frame.older()
    print("frames %d %s" % (thread.ptid[1], " ".join(counters)))

# SPDX-License-Identifier: Apache-2.0
#
# Runs inside lldb: as gdb_frames.py, and the same lines.
import lldb


def __lldb_init_module(debugger, _):
    process = debugger.GetSelectedTarget().GetProcess()
    for thread in sorted(process, key=lambda t: t.GetThreadID()):
        counters = []
        address = None
        for frame in thread:
            # Inlined frames share the address of the one that they were inlined into; lldb does not always show that
            # one itself.
            if frame.GetCFA() != address:
                counters.append("0x%x" % frame.GetPC())
            address = frame.GetCFA()
        print("frames %d %s" % (thread.GetThreadID(), " ".join(counters)))

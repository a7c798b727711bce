# SPDX-License-Identifier: Apache-2.0
#
# Runs inside gdb: prints all that a debugger knows of a process, in one canonical text, so that a core and a live
# process can be compared line by line. The first line that differs names what differs.
import gdb


def section(title):
    print("== " + title)


def try_print(label, expression):
    try:
        print("%s = %s" % (label, gdb.parse_and_eval(expression).format_string(format="z", summary=False)
                           if expression.startswith("$") else gdb.parse_and_eval(expression)))
    except gdb.error as error:
        print("%s: %s" % (label, error))


def frames():
    frame = gdb.newest_frame()
    while frame is not None:
        print("#%d 0x%x %s" % (frame.level(), frame.pc(), frame.name()))
        frame = frame.older()


def registers():
    frame = gdb.newest_frame()
    names = [register.name for register in frame.architecture().registers()]
    # Views that gdb does not list: halves of the widest vectors, and what the kernel alone knows.
    names += [n for n in ["orig_rax", "fs_base", "gs_base"] + ["xmm%d" % i for i in range(16)] +
              ["ymm%d" % i for i in range(16)] if n not in names]
    for name in names:
        try:
            print("%s = %s" % (name, frame.read_register(name).format_string(format="x")))
        except (gdb.error, ValueError) as error:
            print("%s: %s" % (name, error))


gdb.execute("set pagination off")
gdb.execute("set print elements 0")
gdb.execute("set print repeats 0")
gdb.execute("set width 0")
for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.ptid[1]):
    thread.switch()
    section("thread %d" % thread.ptid[1])
    frames()
    registers()
    for variable in ("tls_number", "tls_real", "tls_text", "errno"):
        try:
            print("%s = %s" % (variable, gdb.parse_and_eval(variable)))
        except gdb.error as error:
            print("%s: %s" % (variable, error))
section("auxv")
print(gdb.execute("info auxv", to_string=True))
section("file mappings")
for line in gdb.execute("info proc mappings", to_string=True).splitlines():
    words = line.split()
    # A core gives gdb start, end, size, offset, name; a process the access as well, and mappings without a file.
    if len(words) >= 5 and words[0].startswith("0x") and words[-1].startswith("/"):
        print("%s %s %s %s %s" % (words[0], words[1], words[2], words[3], words[-1]))
section("libraries")
# The end of the text, as the process's link map gives it.
print("\n".join(line for line in gdb.execute("info sharedlibrary", to_string=True).splitlines()
                if line.startswith("0x")))

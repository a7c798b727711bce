# SPDX-License-Identifier: Apache-2.0
#
# Judges a plain ELF core against the stopped process it was taken from, with its own ELF reader:
#   core_judge.py CORE PID
# Every byte of private memory, threads with names, the map with all its fields, registers of every thread, and that
# each address stands in the core as what it is. Prints what is wrong, one line each, then counts; exits 1 if any.
import collections
import json
import os
import struct
import sys

PAGE = 4096


class Core:
    def __init__(self, path):
        self.file = open(path, "rb")
        header = self.file.read(64)
        assert header[:4] == b"\x7fELF" and struct.unpack_from("<H", header, 16)[0] == 4, "no ELF core"
        phoff, shoff = struct.unpack_from("<QQ", header, 32)
        count = struct.unpack_from("<H", header, 56)[0]
        if count == 0xffff:
            count = struct.unpack_from("<I", self.at(shoff, 64), 44)[0]
        self.loads, self.notes = [], []
        for i in range(count):
            kind, flags, offset, address, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", self.at(phoff + i * 56, 56))
            if kind == 1:
                self.loads.append((address, memsz, offset, filesz, flags))
            elif kind == 4:
                self.read_notes(self.at(offset, filesz))
        self.loads.sort()

    def at(self, offset, size):
        return os.pread(self.file.fileno(), size, offset)

    def read_notes(self, data):
        at = 0
        while at < len(data):
            name_size, size, kind = struct.unpack_from("<III", data, at)
            name = data[at + 12:at + 12 + name_size].rstrip(b"\0").decode()
            at += 12 + (name_size + 3) // 4 * 4
            self.notes.append((name, kind, data[at:at + size]))
            at += (size + 3) // 4 * 4


def maps(pid):
    for line in open("/proc/%d/maps" % pid):
        fields = line.rstrip("\n").split(None, 5)
        start, end = (int(x, 16) for x in fields[0].split("-"))
        yield start, end, fields[1], int(fields[2], 16), fields[3], int(fields[4]), fields[5] if len(fields) > 5 else ""


def is_rseq(ours, theirs):
    """Two states of one thread's struct rseq: the kernel renews processor, node and context numbers by itself when
    the thread has moved; rseq_cs and flags stand."""
    a, b = struct.unpack("<IIQIIII", ours), struct.unpack("<IIQIIII", theirs)
    return all(x[0] == x[1] < 4096 and x[4] < 4096 and x[5] < 4096 for x in (a, b)) and a[2:4] == b[2:4]


def first_difference(ours, theirs):
    if ours == theirs:
        return None
    for at in range(0, max(len(ours), len(theirs)), 32):
        a, b = ours[at:at + 32], theirs[at:at + 32]
        if a != b and not (len(a) == len(b) == 32 and is_rseq(a, b)):
            return at
    return None


def main():
    core, pid = Core(sys.argv[1]), int(sys.argv[2])
    wrong = []
    manifest = json.loads(next(d for n, k, d in core.notes if n == "DOPPEL" and k == 0x44504C01).rstrip(b"\0"))
    # Threads, in the manifest and in the notes.
    tasks = sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))
    listed = {t["tid"]: t for t in manifest["threads"]}
    if sorted(listed) != tasks:
        wrong.append("threads: manifest %s, process %s" % (sorted(listed), tasks))
    for task in tasks:
        name = open("/proc/%d/task/%d/comm" % (pid, task)).read().rstrip("\n")
        if listed.get(task, {}).get("name") != name:
            wrong.append("thread %d: name %r, process %r" % (task, listed.get(task, {}).get("name"), name))
    statuses = [struct.unpack_from("<I", d, 32)[0] for n, k, d in core.notes if n == "CORE" and k == 1]
    inner = sorted(t["namespace_tid"] for t in manifest["threads"])
    if sorted(statuses) != inner:
        wrong.append("NT_PRSTATUS of %s, threads are %s" % (sorted(statuses), inner))
    # The map.
    regions = [r for r in manifest["regions"]]
    there = list(maps(pid))
    if len(regions) != len(there):
        wrong.append("%d regions in the manifest, %d in the process" % (len(regions), len(there)))
    by_start = {int(r["address"], 16): r for r in regions}
    for start, end, access, offset, device, inode, path in there:
        region = by_start.get(start)
        if region is None:
            wrong.append("no region at 0x%x (%s)" % (start, path))
            continue
        deleted = path.endswith(" (deleted)")
        seen = (region["size"], region["access"], region["sharing"][0], int(region.get("file_offset", "0x0"), 16),
                int(region.get("inode", "0x0"), 16), region.get("deleted", False) or False)
        wanted = (end - start, access[:3], access[3], offset, inode, deleted)
        if seen[:5] != wanted[:5]:
            wrong.append("region 0x%x: %s, process %s" % (start, seen, wanted))
        name = path[:-len(" (deleted)")] if deleted else path
        if region.get("path", "") not in (name, path):
            wrong.append("region 0x%x: path %r, process %r" % (start, region.get("path"), path))
    # Bytes. Omitted ranges must have no bytes in the file.
    omitted = [(int(o["address"], 16), int(o["address"], 16) + o["size"]) for o in manifest["omissions"]
               if o["what"] == "memory" and o["size"] > 0]
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    counts = collections.Counter()
    for start, end, access, offset, device, inode, path in there:
        if access[3] != "p" or access[0] != "r" or path in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
            continue
        page = start
        covering = [l for l in core.loads if l[0] < end and l[0] + l[1] > start]
        while page < end:
            load = next((l for l in covering if l[0] <= page < l[0] + l[1]), None)
            is_omitted = any(a <= page < b for a, b in omitted)
            if load is None:
                counts["without a segment"] += 1
                if not is_omitted:
                    wrong.append("0x%x (%s): in no segment, and in no omission" % (page, path))
                    break
                page += PAGE
                continue
            address, memsz, file_offset, filesz, _ = load
            inside = page - address
            stop = min(end, address + memsz)
            if inside < filesz:
                size = min(stop - page, filesz - inside, 1 << 20)
                ours, theirs = core.at(file_offset + inside, size), os.pread(memory, size, page)
                first = first_difference(ours, theirs)
                if first is not None:
                    wrong.append("0x%x (%s): bytes differ" % (page + first, path))
                counts["compared"] += size
            else:
                # Shown as zeros, or read from the file, by a debugger: must be that in the process.
                size = min(stop - page, 1 << 20)
                if path.startswith("/") and not path.endswith(" (deleted)"):
                    with open(path, "rb") as mapped:
                        mapped.seek(offset + page - start)
                        expected = mapped.read(size)
                    theirs = os.pread(memory, len(expected), page)
                    if theirs != expected:
                        wrong.append("0x%x (%s): left to the file, but changed" % (page, path))
                    counts["left to the file"] += size
                else:
                    # Do not touch gigabytes: the page map says what was never there.
                    counts["shown as zero"] += size
                    with open("/proc/%d/pagemap" % pid, "rb") as pagemap:
                        pagemap.seek(page // PAGE * 8)
                        for i, (entry,) in enumerate(struct.iter_unpack("<Q", pagemap.read(size // PAGE * 8))):
                            if entry >> 62:
                                wrong.append("0x%x (%s): shown as zero, but there is a page" % (page + i * PAGE, path))
                                break
            page += size
    for line in wrong[:40]:
        print("WRONG " + line)
    print("threads %d, regions %d, %s" % (len(tasks), len(there), ", ".join("%s %d" % c for c in sorted(counts.items()))))
    return 1 if wrong or counts["compared"] < 4096 else 0


sys.exit(main())

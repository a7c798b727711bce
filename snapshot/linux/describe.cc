// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include <snapshot/linux/describe.h>
#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/xsave_area.h>

namespace doppel {
namespace {

std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    arguments.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return arguments;
}

/// Registers of a thread that did not stop: only what its system call tells.
void registers_from_syscall(const ProcDir& task, CpuContext& registers) {
  registers.complete = false;
  Result<std::string> text = task.read_text("syscall");
  if (!text) return;
  Result<ProcSyscall> call = parse_syscall(*text);
  if (!call || call->running) return;
  registers.general.rip = call->program_counter;
  registers.general.rsp = call->stack_pointer;
  registers.general.orig_rax = static_cast<std::uint64_t>(call->number);
  if (call->number < 0) return;
  registers.general.rdi = call->arguments[0];
  registers.general.rsi = call->arguments[1];
  registers.general.rdx = call->arguments[2];
  registers.general.r10 = call->arguments[3];
  registers.general.r8 = call->arguments[4];
  registers.general.r9 = call->arguments[5];
}

/// What `status` and `stat` say of the thread; false when it is gone.
bool describe_from_proc(const ProcDir& process, pid_t tid, std::string_view stat_text,
                        Thread& thread) {
  Result<ProcStat> stat = parse_stat(stat_text);
  if (!stat) return false;
  ProcStatus status;
  // A thread that ended since has no status any more; the stat from before the stop still names it.
  if (Result<ProcDir> task = process.task(tid)) {
    if (Result<std::string> text = task->read_text("status")) {
      if (Result<ProcStatus> parsed = parse_status(*text)) status = std::move(*parsed);
    }
  }
  describe_thread(*stat, status, thread);
  thread.id = tid;
  return true;
}

void put_leader_first(std::vector<Thread>& threads, std::int32_t leader) {
  const auto at = std::find_if(threads.begin(), threads.end(),
                               [&](const Thread& thread) { return thread.id == leader; });
  if (at != threads.end()) std::rotate(threads.begin(), at, std::next(at));
}

/// The region of `before` that holds the address, or null.
const Region* find_region(const std::vector<Region>& before, Address address) {
  const auto after = std::upper_bound(before.begin(), before.end(), address,
                                      [](Address a, const Region& r) { return a < r.range.begin; });
  if (after == before.begin()) return nullptr;
  return std::prev(after)->range.contains(address) ? &*std::prev(after) : nullptr;
}

/// Mappings of the target that the clone did not get: those in `theirs` that `regions` leaves free.
std::vector<Region> missing_in_clone(const std::vector<Region>& theirs,
                                     const std::vector<Region>& regions) {
  std::vector<Region> missing;
  for (const Region& region : theirs) {
    const bool covered = std::any_of(regions.begin(), regions.end(), [&](const Region& own) {
      return own.range.begin.value < region.range.end() &&
             region.range.begin.value < own.range.end();
    });
    if (!covered) missing.push_back(region);
  }
  return missing;
}

/// Why the snapshot is not to hold the region although it has an address in it; null when it is.
const char* withheld(const Region& region, bool cloned, SharedMemory shared) {
  if (region.traits.secret) return "secret memory";
  // The clone has zeros there. The process asked that no copy of it gets the contents.
  if (cloned && region.traits.wipe_on_fork) return "MADV_WIPEONFORK";
  if (cloned && region.traits.droppable) return "MAP_DROPPABLE";
  if (shared == SharedMemory::omit && region.sharing == Sharing::shared)
    return "shared memory, left out by request";
  return nullptr;
}

/// What was copied in the stop, by address.
std::vector<AddressRange> copied_in_stop(const CaptureArena& arena) {
  std::vector<AddressRange> copied;
  for (const CopyRecord& copy : arena.copy_records().first(arena.header().copy_count)) {
    if (copy.copied > 0) copied.push_back({copy.range.begin, copy.copied});
  }
  std::sort(copied.begin(), copied.end(),
            [](const AddressRange& a, const AddressRange& b) { return a.begin < b.begin; });
  return copied;
}

/// The parts of the range that are not in `copied`.
std::vector<AddressRange> not_copied(const std::vector<AddressRange>& copied,
                                     const AddressRange& range) {
  std::vector<AddressRange> rest;
  std::uint64_t at = range.begin.value;
  auto copy = std::lower_bound(
      copied.begin(), copied.end(), range.begin,
      [](const AddressRange& each, Address begin) { return each.end() <= begin.value; });
  for (; copy != copied.end() && copy->begin.value < range.end(); ++copy) {
    const std::uint64_t begin = std::max(copy->begin.value, at);
    const std::uint64_t end = std::min(copy->end(), range.end());
    if (begin >= end) continue;
    if (begin > at) rest.push_back({{at}, begin - at});
    at = end;
  }
  if (at < range.end()) rest.push_back({{at}, range.end() - at});
  return rest;
}

}  // namespace

void remove_page(std::vector<Region>& regions, std::uint64_t page) {
  constexpr std::uint64_t kPage = 4096;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    if (!regions[i].range.contains({page})) continue;
    Region rest = regions[i];
    const std::uint64_t end = regions[i].range.end();
    regions[i].range.size = page - regions[i].range.begin.value;
    rest.range = {{page + kPage}, end - (page + kPage)};
    if (rest.range.size > 0)
      regions.insert(regions.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest);
    if (regions[i].range.size == 0) regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

Result<> describe_target(Sys& sys, const ProcDir& process, ProcessImage& image) {
  const std::string stat_text = DOPPEL_TRY(process.read_text("stat"));
  const std::string status_text = DOPPEL_TRY(process.read_text("status"));
  const ProcStat stat = DOPPEL_TRY(parse_stat(stat_text));
  const ProcStatus status = DOPPEL_TRY(parse_status(status_text));
  ProcStatus parent;
  const ProcStatus* known_parent = nullptr;
  if (stat.parent != 0) {
    if (Result<ProcDir> directory = ProcDir::open(sys, stat.parent)) {
      if (Result<std::string> text = directory->read_text("status")) {
        if (Result<ProcStatus> parsed = parse_status(*text)) {
          parent = std::move(*parsed);
          known_parent = &parent;
        }
      }
    }
  }
  ProcessInfo& info = image.process;
  describe_process(stat, status, known_parent, info);
  if (Result<std::string> link = process.read_link("exe")) info.executable = std::move(*link);
  if (Result<std::string> text = process.read_text("cmdline"))
    info.arguments = split_arguments(*text);
  info.coredump_filter = 0x33;
  if (Result<std::string> text = process.read_text("coredump_filter")) {
    (void)std::from_chars(text->data(), text->data() + text->size(), info.coredump_filter, 16);
  }
  for (const char* name : {"auxv", "limits", "cgroup"}) {
    if (Result<std::string> text = process.read_text(name))
      image.verbatim.push_back({name, to_bytes(*text)});
  }
  utsname kernel{};
  if (uname(&kernel) == 0) info.kernel = kernel.release;
  return {};
}

void describe_threads(const CaptureArena& arena, const ProcDir& process, ProcessImage& image) {
  const std::size_t count = arena.header().thread_count;
  for (std::size_t i = 0; i < count; ++i) {
    const ThreadRecord& record = arena.records()[i];
    if (record.tid == 0) continue;  // gone before it was held
    Thread thread;
    if (!describe_from_proc(process, record.tid, record.stat, thread)) continue;
    CpuContext& registers = thread.registers;
    if (record.has_registers) {
      registers.general = record.registers;
      const std::span<std::byte> xsave = arena.xsave(i).first(record.xsave_size);
      registers.xsave = without_unused_tiles(xsave);
      const std::size_t legacy = std::min<std::size_t>(512, xsave.size());
      registers.fxsave.assign(xsave.begin(), xsave.begin() + static_cast<std::ptrdiff_t>(legacy));
      // Without XSAVE it is the old area alone.
      if (record.xsave_size <= 512) registers.xsave.clear();
      // Bytes 464-511 of the area belong to software: in an XSAVE area the kernel keeps its layout
      // there.
      if (legacy == 512 && !registers.xsave.empty()) {
        std::fill(registers.fxsave.begin() + 464, registers.fxsave.end(), std::byte{0});
      }
      const std::span<std::byte> bitmap = arena.io_bitmap(i).first(record.io_bitmap_size);
      registers.io_bitmap.assign(bitmap.begin(), bitmap.end());
      arena.discard(i);
      if (record.has_shadow_stack) registers.shadow_stack_pointer = record.shadow_stack_pointer;
    } else {
      if (Result<ProcDir> task = process.task(record.tid)) registers_from_syscall(*task, registers);
      registers.complete = false;
      image.omissions.push_back({.what = "registers",
                                 .range = {},
                                 .why = "thread " + std::to_string(record.tid) +
                                        " did not stop in time (uninterruptible sleep)"});
    }
    if (record.has_siginfo) {
      thread.siginfo.assign(std::begin(record.siginfo), std::end(record.siginfo));
    }
    image.threads.push_back(std::move(thread));
  }
  put_leader_first(image.threads, image.process.pid);
}

Result<> describe_threads_unattached(const ProcDir& process, ProcessImage& image) {
  const std::vector<pid_t> tids = DOPPEL_TRY(process.list_tasks());
  for (const pid_t tid : tids) {
    Result<ProcDir> task = process.task(tid);
    if (!task) continue;
    Result<std::string> stat = task->read_text("stat");
    Thread thread;
    if (!stat || !describe_from_proc(process, tid, *stat, thread)) continue;
    registers_from_syscall(*task, thread.registers);
    image.omissions.push_back({.what = "registers",
                               .range = {},
                               .why = "thread " + std::to_string(tid) +
                                      " was not stopped: only its system call is known"});
    image.threads.push_back(std::move(thread));
  }
  put_leader_first(image.threads, image.process.pid);
  return {};
}

Result<std::vector<CloneMemory::Part>> describe_regions(Sys& sys, const LiveCapture& capture,
                                                        const std::vector<Region>& before,
                                                        SharedMemory shared, ProcessImage& image) {
  const bool cloned = capture.tracer && capture.tracer->clone() != 0;
  Smaps smaps = DOPPEL_TRY(read_smaps(sys, capture.files().smaps.get(), "smaps"));
  std::vector<Region> regions = std::move(smaps.regions);
  const ArenaHeader& header = capture.arena.header();
  if (header.own_page != 0) remove_page(regions, header.own_page);

  // A clone does not inherit a userfaultfd: only the target's own flags tell which of its pages are
  // still to come from another.
  for (Region& region : regions) {
    if (!cloned) break;
    const Region* known = find_region(before, region.range.begin);
    if (known == nullptr) continue;
    region.traits.userfault = known->traits.userfault;
    region.traits.userfault_missing = known->traits.userfault_missing;
    // The target may have taken huge pages away from the clone by now; what was there, was there.
    if (region.traits.huge_tlb && region.sharing == Sharing::private_copy &&
        known->range == region.range) {
      region.resident = std::max(region.resident, known->resident);
    }
  }

  std::vector<CloneMemory::Part> parts;
  parts.reserve(regions.size());
  for (const Region& region : regions) {
    parts.push_back({region, cloned ? CloneMemory::Source::clone : CloneMemory::Source::target});
  }
  if (cloned && header.maps_size > 0) {
    const std::string_view maps(reinterpret_cast<const char*>(capture.arena.maps().data()),
                                header.maps_size);
    const std::vector<Region> theirs = DOPPEL_TRY(parse_maps(maps));
    for (Region region : missing_in_clone(theirs, regions)) {
      if (const Region* known = find_region(before, region.range.begin))
        region.traits = known->traits;
      region.traits.dont_fork = true;
      parts.push_back({region, CloneMemory::Source::target});
    }
    std::sort(parts.begin(), parts.end(),
              [](const CloneMemory::Part& a, const CloneMemory::Part& b) {
                return a.region.range.begin < b.region.range.begin;
              });
  }
  const std::vector<AddressRange> copied = copied_in_stop(capture.arena);
  for (CloneMemory::Part& part : parts) {
    const Region& region = part.region;
    image.regions.push_back(region);
    if (const char* why = withheld(region, cloned, shared); why != nullptr) {
      part.source = CloneMemory::Source::none;
      image.omissions.push_back(
          {.what = "memory", .range = region.range, .why = why, .asked = true});
      continue;
    }
    const char* torn = nullptr;
    if (region.sharing == Sharing::shared) {
      if (shared != SharedMemory::omit && region.backing != Backing::device) {
        torn = "shared memory, read after the release";
      }
    } else if (region.traits.dont_fork) {
      torn = "MADV_DONTFORK, read from the running process";
    } else if (!cloned && (region.access.write || region.anonymous > 0)) {
      torn = "read while the process ran";
    }
    if (torn == nullptr) continue;
    for (const AddressRange& rest : not_copied(copied, region.range)) {
      image.torn.push_back({rest, torn});
    }
  }
  return parts;
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include <snapshot/linux/describe.h>
#include <snapshot/linux/held_snapshot.h>
#include <snapshot/linux/module_scan.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/support/version.h>

namespace doppel {
namespace {

std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

std::uint64_t microseconds(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? (to_ns - from_ns + 999) / 1000 : 0;
}

/// What the process was, from its last words; what belongs to its memory, from the holder.
Result<> describe_dead(Sys& sys, const HandedOver& taken, ProcessImage& image) {
  const ProcDir holder = DOPPEL_TRY(ProcDir::open(sys, taken.holder->task()));
  DOPPEL_TRY(describe_target(sys, holder, image));
  const ProcStat stat = DOPPEL_TRY(parse_stat(taken.last_words.stat));
  const ProcStatus status = DOPPEL_TRY(parse_status(taken.last_words.status));
  const ProcessInfo memory = std::move(image.process);
  ProcessInfo info;
  describe_process(stat, status, nullptr, info);
  info.executable = memory.executable;
  info.coredump_filter = memory.coredump_filter;
  info.kernel = memory.kernel;
  info.arguments = memory.arguments;
  info.captured_at_ns = taken.crashed_at_ns;
  info.engine = "handover";
  info.consistency = "instant";
  info.tool = "doppel " + std::string(kVersion);
  const HandoverTimes& times = taken.times;
  // Nobody waits any more, but it says how long the crash took until the process was gone.
  info.timings.pause_us = microseconds(times.signal_ns, times.dead_ns);
  info.timings.running_pause_us = info.timings.pause_us;
  info.timings.clone_us = microseconds(times.parked_ns, times.handed_over_ns);
  info.timings.injection_us = info.timings.clone_us;
  image.process = std::move(info);
  std::erase_if(image.verbatim, [](const Verbatim& each) { return each.name != "auxv"; });
  image.verbatim.push_back({"limits", to_bytes(taken.last_words.limits)});
  image.verbatim.push_back({"cgroup", to_bytes(taken.last_words.cgroup)});
  return {};
}

/// The crashed thread first, and why.
void describe_fault(const HandedOver& taken, ProcessImage& image) {
  Fault fault;
  fault.thread = taken.thread;
  fault.number = static_cast<std::uint32_t>(taken.info.si_signo);
  fault.code = taken.info.si_code;
  // Only of a fault that the processor found is there an address; elsewhere other things stand in
  // that place.
  if (taken.info.si_code > 0 && taken.info.si_code != SI_KERNEL) {
    fault.address = {reinterpret_cast<std::uint64_t>(taken.info.si_addr)};
  }
  fault.siginfo.resize(sizeof taken.info);
  std::memcpy(fault.siginfo.data(), &taken.info, sizeof taken.info);
  const auto crashed =
      std::find_if(image.threads.begin(), image.threads.end(),
                   [&](const Thread& thread) { return thread.id == taken.thread; });
  if (crashed != image.threads.end()) {
    crashed->siginfo = fault.siginfo;
    std::rotate(image.threads.begin(), crashed, crashed + 1);
  }
  image.fault = std::move(fault);
}

/// What the snapshot must not hold although the memory does: a promise made to the process.
const char* withheld(const Region& region) {
  if (region.traits.secret) return "secret memory";
  if (region.traits.wipe_on_fork) return "MADV_WIPEONFORK";
  if (region.traits.droppable) return "MAP_DROPPABLE";
  return nullptr;
}

/// The holder's mappings and those that it gave up, by address.
std::vector<CloneMemory::Part> describe_memory(std::vector<Region> regions, const AllClear& clear,
                                               ProcessImage& image) {
  std::vector<CloneMemory::Part> parts;
  for (Region& region : regions) {
    CloneMemory::Part part{std::move(region), CloneMemory::Source::clone};
    if (const char* why = withheld(part.region); why != nullptr) {
      part.source = CloneMemory::Source::none;
      image.omissions.push_back(
          {.what = "memory", .range = part.region.range, .why = why, .asked = true});
    } else if (part.region.sharing == Sharing::shared && part.region.backing != Backing::device) {
      image.torn.push_back({part.region.range, "shared memory, read after the crash"});
    }
    parts.push_back(std::move(part));
  }
  for (const GivenUp& given : clear.given_up) {
    // Copied: read from the arena wherever the part says that bytes come from the holder.
    parts.push_back(
        {given.region, given.copied ? CloneMemory::Source::clone : CloneMemory::Source::none});
    if (!given.copied) {
      // What is in a file stays in the file.
      const bool in_file = given.region.backing == Backing::file &&
                           given.region.sharing == Sharing::shared && given.region.inode != 0;
      image.omissions.push_back({.what = "memory",
                                 .range = given.region.range,
                                 .why = "given up so that nothing is held: " + given.what,
                                 .asked = in_file});
    }
  }
  std::sort(parts.begin(), parts.end(), [](const CloneMemory::Part& a, const CloneMemory::Part& b) {
    return a.region.range.begin < b.region.range.begin;
  });
  for (const CloneMemory::Part& part : parts) image.regions.push_back(part.region);
  return parts;
}

}  // namespace

Result<HeldFiles> open_held_files(Sys& sys, const HandedOver& taken) {
  TargetProcess holder = DOPPEL_TRY(TargetProcess::open(sys, taken.holder->task()));
  CloneFiles files;
  files.memory = DOPPEL_TRY(holder.open_file("mem"));
  files.pagemap = DOPPEL_TRY(holder.open_file("pagemap"));
  files.maps = DOPPEL_TRY(holder.open_file("maps"));
  files.smaps = DOPPEL_TRY(holder.open_file("smaps"));
  files.target_memory = DOPPEL_TRY(holder.open_file("mem"));
  files.target_pagemap = DOPPEL_TRY(holder.open_file("pagemap"));
  return HeldFiles{std::move(holder), std::move(files)};
}

Result<Snapshot> make_held_snapshot(Sys& sys, HandedOver& taken, HeldFiles files,
                                    const AllClear& clear,
                                    std::function<void(std::span<const AddressRange>)> give_back) {
  Smaps smaps = DOPPEL_TRY(read_smaps(sys, files.files.smaps.get(), "smaps"));
  const auto is_shared = [&](Address address) {
    const auto region =
        std::find_if(smaps.regions.begin(), smaps.regions.end(),
                     [&](const Region& each) { return each.range.contains(address); });
    return region == smaps.regions.end() || region->sharing == Sharing::shared;
  };
  const std::vector<Address> wrong = taken.words.put_right(sys, taken.memory.get(), is_shared);

  ProcessImage image;
  DOPPEL_TRY(describe_dead(sys, taken, image));
  for (const Address address : wrong) {
    image.torn.push_back({{address, 4}, "overwritten by the kernel while the process died"});
  }
  if (taken.threads_left_out > 0) {
    image.omissions.push_back({.what = "threads",
                               .range = {},
                               .why = std::to_string(taken.threads_left_out) +
                                      " started while the process was stopped, without room"});
  }
  const ProcDir holder = DOPPEL_TRY(ProcDir::open(sys, taken.holder->task()));
  describe_threads(*taken.arena, holder, image);
  describe_fault(taken, image);
  if (clear.own_page != 0) remove_page(smaps.regions, clear.own_page);
  std::vector<CloneMemory::Part> parts = describe_memory(std::move(smaps.regions), clear, image);
  image.omissions.push_back({.what = "handles",
                             .range = {},
                             .why = "not listed in a crash: they go with the process",
                             .asked = true});
  auto capture =
      std::make_unique<LiveCapture>(sys, std::move(files.holder), std::move(*taken.arena));
  taken.arena.reset();
  capture->own_files = std::move(files.files);
  capture->give_back = std::move(give_back);
  auto memory = std::make_unique<CloneMemory>(std::move(capture), std::move(parts),
                                              std::function<void(const Result<>&)>());
  image.modules = scan_modules(image.regions, *memory);
  return Snapshot{std::move(image), std::move(memory)};
}

}  // namespace doppel

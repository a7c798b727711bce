// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <sys/ptrace.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <snapshot/linux/clone_memory.h>
#include <snapshot/linux/describe.h>
#include <snapshot/linux/handle_scan.h>
#include <snapshot/linux/linux_backend.h>
#include <snapshot/linux/module_scan.h>
#include <snapshot/linux/pagemap.h>
#include <snapshot/linux/planner.h>
#include <snapshot/linux/preflight.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/settle_clone.h>
#include <snapshot/linux/tracer_process.h>
#include <snapshot/support/version.h>

namespace doppel {
namespace {

/// A program that runs another program, or starts threads faster than room was made for, in the
/// very moment of the stop: tried again so often.
constexpr int kMostAttempts = 10;
constexpr std::size_t kStackBytes = 64 << 10;

SnapshotOrders make_orders(const Preflight& facts, const std::vector<AuxEntry>& auxv, bool clone) {
  SnapshotOrders orders;
  orders.settings.options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
  // Any thread may be the one that is borrowed.
  if (facts.any_thread_filtered && facts.can_suspend_seccomp) {
    orders.settings.options |= PTRACE_O_SUSPEND_SECCOMP;
  }
  orders.settings.shadow_stacks = facts.status.shadow_stack();
  constexpr std::uint64_t kRawIo = 1ull
                                   << 17;  // CAP_SYS_RAWIO: without it there are no I/O bitmaps
  orders.settings.io_bitmaps = (facts.status.capabilities_permitted & kRawIo) != 0;
  orders.vdso = {find_aux(auxv, AT_SYSINFO_EHDR).value_or(0)};
  orders.clone = clone;
  orders.read_maps =
      clone && std::any_of(facts.regions.begin(), facts.regions.end(),
                           [](const Region& region) { return region.traits.dont_fork; });
  orders.stack_bytes = clone ? 0 : kStackBytes;
  return orders;
}

/// Room for what the stop will find, with some to spare for a program that grows meanwhile.
CaptureArena::Room make_room(const Preflight& facts, const SnapshotOrders& orders,
                             const std::vector<AddressRange>& copies, int attempt) {
  CaptureArena::Room room;
  const auto threads = static_cast<std::size_t>(std::max<std::int64_t>(facts.status.threads, 1));
  room.threads = (threads + std::max<std::size_t>(threads / 4, 256)) << attempt;
  if (orders.read_maps) room.maps_bytes = (facts.regions.size() + 1024) * 256;
  room.copies = copies.size() + (orders.stack_bytes > 0 ? room.threads : 0);
  for (const AddressRange& range : copies) room.copy_bytes += range.size;
  room.copy_bytes += orders.stack_bytes * std::min<std::size_t>(room.threads, 1024);
  return room;
}

/// What of the ranges the process has in its page table. A page table that cannot be read is as one
/// that is empty: then this memory is read after the release, like other shared memory.
std::vector<AddressRange> present_parts(Sys& sys, const TargetProcess& target,
                                        const std::vector<AddressRange>& ranges) {
  std::vector<AddressRange> parts;
  if (ranges.empty()) return parts;
  const Result<UniqueFd> pagemap = target.open_file("pagemap");
  if (!pagemap) return parts;
  for (const AddressRange& range : ranges) {
    const Result<std::vector<PageRun>> runs = scan_pagemap(sys, pagemap->get(), range);
    if (!runs) continue;
    for (const PageRun& run : *runs) {
      if (run.kind != PageRun::Kind::guard) parts.push_back(run.range);
    }
  }
  return parts;
}

Result<CloneFiles> open_own_files(const TargetProcess& target) {
  CloneFiles files;
  files.memory = DOPPEL_TRY(target.open_file("mem"));
  files.pagemap = DOPPEL_TRY(target.open_file("pagemap"));
  files.maps = DOPPEL_TRY(target.open_file("maps"));
  files.smaps = DOPPEL_TRY(target.open_file("smaps"));
  files.target_memory = DOPPEL_TRY(target.open_file("mem"));
  files.target_pagemap = DOPPEL_TRY(target.open_file("pagemap"));
  return files;
}

}  // namespace

Result<Snapshot> LinuxBackend::capture(const CaptureRequest& request) {
  Error last;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (request.stop.stop_requested()) return fail(Errc::cancelled, "capture");
    Result<Snapshot> snapshot = capture_once(request, attempt);
    const bool again =
        !snapshot && (snapshot.error().code == Errc::cancelled ||
                      (snapshot.error().code == Errc::limit && snapshot.error().os == EAGAIN));
    if (!again || request.stop.stop_requested()) return snapshot;
    last = std::move(snapshot.error());
  }
  return fail(std::move(last));
}

Result<Snapshot> LinuxBackend::capture_once(const CaptureRequest& request, int attempt) {
  // From here on a pidfd and a directory stand for the process: its number may be used again.
  TargetProcess target = DOPPEL_TRY(TargetProcess::open(sys_, request.target));
  const ProcDir process = DOPPEL_TRY(ProcDir::open(sys_, request.target));

  // Look, and foretell. Nothing of the target is touched yet.
  const Preflight facts = preflight(
      sys_, process, {.force_undumpable = request.force_undumpable, .shared = request.shared});
  const StopPlan plan = DOPPEL_TRY(plan_stop(facts, request));
  ProcessImage image;
  DOPPEL_TRY(describe_target(sys_, process, image));
  std::vector<AuxEntry> auxv;
  for (const Verbatim& each : image.verbatim) {
    if (each.name == "auxv") auxv = parse_auxv(each.bytes);
  }
  const std::vector<AddressRange> copies =
      present_parts(sys_, target, ranges_read_in_stop(facts, request.shared));
  SnapshotOrders orders = make_orders(facts, auxv, plan.engine == Engine::clone);
  CaptureArena arena = DOPPEL_TRY(CaptureArena::create(make_room(facts, orders, copies, attempt)));
  arena.populate(static_cast<std::size_t>(std::max<std::int64_t>(facts.status.threads, 1)));
  std::uint64_t offset = 0;
  for (const AddressRange& range : copies) {
    arena.copy_records()[arena.header().copy_count++] = {
        .range = range, .offset = offset, .copied = 0};
    offset += range.size;
  }

  // Take.
  auto capture = std::make_unique<LiveCapture>(sys_, std::move(target), std::move(arena));
  capture->orders = orders;
  if (plan.attach) {
    capture->tracer =
        DOPPEL_TRY(TracerProcess::start(sys_, capture->target, capture->arena, capture->orders));
  } else {
    capture->own_files = DOPPEL_TRY(open_own_files(capture->target));
  }

  // Describe. The target runs again.
  ProcessInfo& info = image.process;
  const ArenaHeader& header = capture->arena.header();
  info.engine = plan.engine == Engine::clone ? "clone" : "direct";
  info.consistency = plan.consistency;
  info.remarks = settle_remarks(header.settle_missed);
  info.tool = "doppel " + std::string(kVersion);
  info.captured_at_ns = header.captured_at_ns;
  const auto microseconds = [](std::uint64_t ns) { return (ns + 999) / 1000; };
  info.timings = {.pause_us = microseconds(header.pause_ns),
                  .running_pause_us = microseconds(header.running_pause_ns),
                  .predicted_pause_us = plan.predicted_pause_us,
                  .clone_us = microseconds(header.clone_ns),
                  .injection_us = microseconds(header.injection_ns)};
  if (plan.attach) {
    describe_threads(capture->arena, process, image);
  } else {
    info.captured_at_ns = 0;
    DOPPEL_TRY(describe_threads_unattached(process, image));
  }
  std::vector<CloneMemory::Part> parts =
      DOPPEL_TRY(describe_regions(sys_, *capture, facts.regions, request.shared, image));
  if (Result<std::vector<Handle>> handles = scan_handles(process)) {
    image.handles = std::move(*handles);
  } else {
    image.omissions.push_back(
        {.what = "handles", .range = {}, .why = "the descriptors could not be listed"});
  }
  auto memory = std::make_unique<CloneMemory>(std::move(capture), std::move(parts), ended_);
  image.modules = scan_modules(image.regions, *memory);
  return Snapshot{std::move(image), std::move(memory)};
}

}  // namespace doppel

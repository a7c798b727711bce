// SPDX-License-Identifier: Apache-2.0
//
// What a capture says of a process of the executive, against the executive's own truth, and that it
// leaves nothing behind.
#include "captured_world.h"

namespace doppel {
namespace {

class ExecutiveBackendTest : public CapturedWorld {};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveBackendTest, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveBackendTest, SaysWhatTheProcessIs) {
  install("counter.exe");
  const Started counter = start("counter.exe", false, 0, "counter.exe with words");
  std::ignore = executive->stepper().step(500);
  Process& process = process_of(counter.process);
  NtThread& thread = thread_of(counter.thread);
  const NtContext context = thread.context;
  const auto snapshot = capture(process.id);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  const ProcessImage& image = snapshot->image;
  EXPECT_TRUE(check_image(image).has_value());
  EXPECT_EQ(image.process.pid, static_cast<std::int32_t>(process.id));
  EXPECT_EQ(image.process.parent, static_cast<std::int32_t>(parent->process().id));
  EXPECT_EQ(image.process.executable, "C:\\counter.exe");
  EXPECT_EQ(image.process.comm, "counter.exe");
  EXPECT_EQ(image.process.arguments, std::vector<std::string>{"counter.exe with words"});
  EXPECT_EQ(image.process.engine, "clone");
  EXPECT_EQ(image.process.consistency, "instant");
  ASSERT_TRUE(image.process.windows.has_value());
  EXPECT_EQ(image.process.windows->major, 6U);
  EXPECT_EQ(image.process.windows->build, 9600U);
  EXPECT_TRUE(image.process.windows->comment.starts_with("profile Nt63, seed " +
                                                         std::to_string(GetParam()) + ", step "))
      << image.process.windows->comment;
  EXPECT_FALSE(image.fault.has_value());

  ASSERT_EQ(image.threads.size(), 1U);
  EXPECT_EQ(image.threads[0].id, static_cast<std::int32_t>(thread.id));
  EXPECT_EQ(image.threads[0].registers.general.rip, context.registers.rip);
  EXPECT_EQ(image.threads[0].registers.general.rsp, context.registers.general[kRsp]);
  EXPECT_EQ(image.threads[0].registers.general.r15, context.registers.general[kR15]);
  EXPECT_EQ(image.threads[0].registers.general.cs, 0x33U);
  EXPECT_EQ(image.threads[0].registers.fxsave.size(), 512U);
  ASSERT_TRUE(image.threads[0].windows.has_value());
  EXPECT_EQ(image.threads[0].windows->suspend_count, 0U);
  EXPECT_EQ(image.threads[0].windows->teb.value, thread.teb);
  EXPECT_EQ(image.threads[0].windows->start.value, thread.start_address);

  ASSERT_EQ(image.modules.size(), 1U);
  EXPECT_EQ(image.modules[0].path, "C:\\counter.exe");
  EXPECT_EQ(image.modules[0].range.begin.value, process.image_base);
  EXPECT_EQ(image.modules[0].range.size, process.section->size());
  ASSERT_TRUE(image.modules[0].windows.has_value());
  EXPECT_EQ(image.modules[0].windows->time_stamp, process.section->image().time_stamp);
  EXPECT_EQ(image.modules[0].windows->pdb_path, "counter.pdb");
  EXPECT_NE(image.modules[0].windows->pdb_age, 0U);
  EXPECT_EQ(thread.suspend_count, 0U);
}

TEST_P(ExecutiveBackendTest, EveryRegionIsThatOfTheOriginal) {
  install("mapper.exe");
  const Started mapper = start("mapper.exe");
  std::ignore = executive->stepper().step(20000);
  Process& process = process_of(mapper.process);
  std::vector<MemoryInformation> truth;
  for (std::uint64_t at = 0; at < kUserEnd;) {
    const MemoryInformation run = query(mapper.process, at);
    if (run.state != mem::free) truth.push_back(run);
    at = run.base + run.size;
  }
  const auto snapshot = capture(process.id);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  auto region = snapshot->image.regions.begin();
  for (const MemoryInformation& run : truth) {
    // A run may be cut where pages of a section were copied.
    for (std::uint64_t at = run.base; at < run.base + run.size; ++region) {
      ASSERT_NE(region, snapshot->image.regions.end());
      ASSERT_EQ(region->range.begin.value, at);
      ASSERT_TRUE(region->windows.has_value());
      EXPECT_EQ(region->windows->allocation_base.value, run.allocation_base);
      EXPECT_EQ(region->windows->allocation_protect, run.allocation_protect);
      EXPECT_EQ(region->windows->state, run.state);
      EXPECT_EQ(region->windows->protect, run.protect);
      EXPECT_EQ(region->windows->type, run.type);
      at += region->range.size;
      ASSERT_LE(at, run.base + run.size);
    }
  }
  EXPECT_EQ(region, snapshot->image.regions.end());
}

TEST_P(ExecutiveBackendTest, MemoryIsThatOfTheInstant) {
  install("counter.exe");
  const Started counter = start("counter.exe");
  std::ignore = executive->stepper().step(1000);
  Process& process = process_of(counter.process);
  std::map<std::uint64_t, std::vector<std::byte>> truth;
  for (const auto& [page, pte] : process.space->ptes()) {
    if (pte.frame == kNoFrame || pte.guard || !allows(pte.protect, MemoryAccess::read)) continue;
    const std::byte* bytes = executive->memory().bytes(pte.frame);
    truth[page].assign(bytes, bytes + kNtPageSize);
  }
  ASSERT_FALSE(truth.empty());
  const std::uint64_t peb = process.peb;
  const auto snapshot = capture(process.id);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  std::ignore = executive->stepper().step(5000);
  ASSERT_EQ(nt().terminate_process(counter.process, status::success), status::success);
  for (auto& [page, bytes] : truth) {
    std::vector<std::byte> read(kNtPageSize);
    const auto got = snapshot->memory->read({page * kNtPageSize}, read);
    ASSERT_TRUE(got.has_value()) << std::hex << page;
    ASSERT_EQ(*got, kNtPageSize);
    // The clone's own mark.
    if (page * kNtPageSize == peb) bytes[0] = std::byte{1};
    EXPECT_EQ(read, bytes) << std::hex << page;
  }
}

TEST_P(ExecutiveBackendTest, LeavesNothingBehind) {
  install("counter.exe");
  const Started counter = start("counter.exe");
  std::ignore = executive->stepper().step(100);
  start_dumper();
  const Counters before = executive->counters();
  {
    const auto snapshot = capture(process_of(counter.process).id);
    ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
    EXPECT_NE(executive->counters(), before);
    EXPECT_EQ(dumper->process().handles.count(), 1U) << "the clone's, and nothing of the target's";
    EXPECT_EQ(executive->broken_invariant(), "");
  }
  EXPECT_EQ(executive->counters(), before);
  EXPECT_EQ(dumper->process().handles.count(), 0U);
}

TEST_P(ExecutiveBackendTest, HandlesAreDescribedAndNotDuplicated) {
  install("holder.exe");
  const HandleValue port = listen_for_crashes();
  const Started holder = start("holder.exe");
  const CrashMessage crash = next_crash(port);
  start_dumper();
  backend->set_crash(crash);
  const auto snapshot = capture(crash.process);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  const ProcessImage& image = snapshot->image;
  const Process& process = process_of(holder.process);
  ASSERT_EQ(image.handles.size(), process.handles.count());
  bool file = false;
  for (const Handle& handle : image.handles) {
    const HandleEntry* entry = process.handles.find(handle.number);
    ASSERT_NE(entry, nullptr);
    ASSERT_TRUE(handle.windows.has_value());
    EXPECT_EQ(handle.windows->access, entry->granted);
    EXPECT_EQ(handle.windows->handle_count, entry->object->handle_count());
    EXPECT_EQ(entry->object->handle_count(), 1U) << "nobody has another";
    file = file || handle.kind == "File";
  }
  EXPECT_TRUE(file);
  ASSERT_TRUE(image.fault.has_value());
  EXPECT_EQ(image.fault->number, status::access_violation.value);
  EXPECT_EQ(image.fault->thread, image.threads.front().id);
  EXPECT_EQ(image.fault->parameters, (std::vector<std::uint64_t>{1, 0}));
  EXPECT_EQ(image.fault->address.value, image.fault->registers->general.rip);
}

TEST_P(ExecutiveBackendTest, SharedMemoryIsTornCopiedOrOmitted) {
  install("mapper.exe");
  const Started mapper = start("mapper.exe");
  std::ignore = executive->stepper().step(20000);
  Process& process = process_of(mapper.process);
  const MemoryInformation shared = [&] {
    for (const auto& [first, vad] : process.space->vads())
      if (vad.kind == VadKind::pagefile && vad.inherit == ViewInherit::share)
        return query(mapper.process, first * kNtPageSize);
    return MemoryInformation{};
  }();
  const std::uint64_t unmapped = [&] {
    for (const auto& [first, vad] : process.space->vads())
      if (vad.inherit == ViewInherit::unmap) return first * kNtPageSize;
    return std::uint64_t{0};
  }();
  ASSERT_NE(shared.base, 0U);
  ASSERT_NE(unmapped, 0U);
  const auto live = capture(process.id);
  const auto copy = capture(process.id, SharedMemory::copy);
  const auto omit = capture(process.id, SharedMemory::omit);
  ASSERT_TRUE(live.has_value() && copy.has_value() && omit.has_value());
  const std::uint64_t then = *word_at(*live, shared.base);
  std::ignore = executive->stepper().step(5000);
  EXPECT_TRUE(torn_at(live->image, shared.base));
  EXPECT_GT(*word_at(*live, shared.base), then) << "one storage";
  EXPECT_FALSE(torn_at(copy->image, shared.base));
  EXPECT_EQ(*word_at(*copy, shared.base), then) << "of the instant";
  const Omission* asked = omission_at(omit->image, shared.base);
  ASSERT_NE(asked, nullptr);
  EXPECT_TRUE(asked->asked);
  for (const auto* snapshot : {&live, &copy, &omit}) {
    const Omission* absent = omission_at((*snapshot)->image, unmapped);
    ASSERT_NE(absent, nullptr);
    EXPECT_FALSE(absent->asked);
    EXPECT_EQ(word_at(**snapshot, unmapped), std::nullopt) << "never zeros";
    ASSERT_NE(region_at((*snapshot)->image, unmapped), nullptr) << "listed all the same";
  }
}

TEST_P(ExecutiveBackendTest, T18_guard_pages_are_read_in_the_clone) {
  install("counter.exe");
  const Started counter = start("counter.exe", true);
  const std::uint64_t guarded = allocate(counter.process, 1);
  ASSERT_EQ(write(nt(), counter.process, guarded, std::uint64_t{42}), status::success);
  std::uint64_t base = guarded;
  std::uint64_t size = kNtPageSize;
  std::uint32_t old = 0;
  ASSERT_EQ(
      nt().protect_virtual_memory(counter.process, base, size, page::readwrite | page::guard, old),
      status::success);
  Process& process = process_of(counter.process);
  const auto snapshot = capture(process.id);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  EXPECT_EQ(word_at(*snapshot, guarded), 42U);
  ASSERT_NE(region_at(snapshot->image, guarded), nullptr);
  EXPECT_EQ(region_at(snapshot->image, guarded)->windows->protect, page::readwrite | page::guard);
  // The weaker engine leaves it alone and says so.
  const auto direct = capture(process.id, SharedMemory::live, Engine::direct);
  ASSERT_TRUE(direct.has_value()) << text(direct.error());
  EXPECT_EQ(word_at(*direct, guarded), std::nullopt);
  EXPECT_NE(omission_at(direct->image, guarded), nullptr);
  // The original still faults, once.
  std::byte byte{};
  PageFault fault;
  EXPECT_FALSE(process.space->load(guarded, {&byte, 1}, fault));
  EXPECT_EQ(fault.status, status::guard_page_violation);
  EXPECT_TRUE(process.space->load(guarded, {&byte, 1}, fault));
}

TEST_P(ExecutiveBackendTest, T20_restart_while_the_dump_is_written) {
  for (const unsigned percent : {0U, 50U, 99U}) {
    forget_dumper();
    boot({});
    install("holder.exe");
    const HandleValue port = listen_for_crashes();
    const Started holder = start("holder.exe");
    const CrashMessage crash = next_crash(port);
    start_dumper();
    backend->set_crash(crash);
    // Undisturbed, for the comparison.
    const auto quiet = capture(crash.process);
    ASSERT_TRUE(quiet.has_value()) << text(quiet.error());
    std::size_t pieces = 0;
    backend->access().on_read = [&] { ++pieces; };
    const std::vector<std::byte> expected = dump_of(*quiet);
    const std::size_t when = pieces * percent / 100;
    backend->access().on_read = nullptr;

    const auto snapshot = capture(crash.process);
    ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
    ASSERT_EQ(nt().reply_crash(port, crash.sequence, status::dbg_exception_not_handled),
              status::success);
    ASSERT_EQ(wait(holder.process), status::success);
    std::size_t read = 0;
    bool restarted = false;
    CrashMessage again;
    backend->access().on_read = [&] {
      if (read++ != when) return;
      std::ignore = start("holder.exe");
      again = next_crash(port);
      restarted = true;
    };
    const std::vector<std::byte> dump = dump_of(*snapshot);
    backend->access().on_read = nullptr;
    ASSERT_TRUE(restarted);
    // It got its file, its lock and its mutant, or it would have ended without a crash.
    EXPECT_EQ(again.record.code, status::access_violation);
    EXPECT_NE(again.process, crash.process);
    // The clone's id, in the comment, is all that may differ.
    ASSERT_EQ(dump.size(), expected.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < dump.size(); ++i) different += dump[i] != expected[i] ? 1 : 0;
    EXPECT_LE(different, 8U);
  }
}

TEST_P(ExecutiveBackendTest, T21_an_inheriting_clone_keeps_the_file) {
  install("holder.exe");
  const HandleValue port = listen_for_crashes();
  const Started holder = start("holder.exe", false, 0, "holder.exe inherit");
  const CrashMessage crash = next_crash(port);
  start_dumper();
  backend->inherit_handles(true);
  auto snapshot = capture(crash.process);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  ASSERT_EQ(nt().reply_crash(port, crash.sequence, status::dbg_exception_not_handled),
            status::success);
  ASSERT_EQ(wait(holder.process), status::success);
  const Started second = start("holder.exe");
  ASSERT_EQ(wait(second.process), status::success);
  EXPECT_EQ(exit_status(second.process), status::sharing_violation.value);
  snapshot->memory.reset();
  std::ignore = start("holder.exe");
  EXPECT_EQ(next_crash(port).record.code, status::access_violation);
}

/// The stamps of gens.exe in page order, with one step of the original after each page.
std::vector<std::uint64_t> generations(const Snapshot& snapshot, std::uint64_t base) {
  std::vector<std::uint64_t> found;
  for (std::uint64_t page = 0; page < 16; ++page) {
    std::uint64_t value = 0;
    const auto got = snapshot.memory->read({base + page * kNtPageSize},
                                           std::as_writable_bytes(std::span(&value, 1)));
    EXPECT_TRUE(got.has_value());
    found.push_back(value);
  }
  return found;
}

bool of_one_instant(const std::vector<std::uint64_t>& found) {
  return std::ranges::is_sorted(found, std::greater{}) && found.front() - found.back() <= 1;
}

class GenerationsTest : public CapturedWorld {
 protected:
  void SetUp() override {
    install("gens.exe");
    gens = start("gens.exe");
    std::ignore = executive->stepper().step(7000);
    // The stamped pages are the image's only large run of written data.
    for (const auto& [first, vad] : process_of(gens.process).space->vads()) {
      if (vad.kind != VadKind::image) continue;
      for (std::uint64_t page = first; page < vad.last; ++page) {
        const MemoryInformation run = query(gens.process, page * kNtPageSize);
        if (run.protect == page::readwrite && run.size >= 16 * kNtPageSize) {
          base = run.base;
          return;
        }
      }
    }
  }

  std::vector<std::uint64_t> read_while_it_runs(Engine engine) {
    const auto snapshot = capture(process_of(gens.process).id, SharedMemory::live, engine);
    EXPECT_TRUE(snapshot.has_value());
    if (!snapshot) return {};
    backend->access().on_read = [&] { std::ignore = executive->stepper().step(100); };
    const std::vector<std::uint64_t> found = generations(*snapshot, base);
    backend->access().on_read = nullptr;
    return found;
  }

  Started gens;
  std::uint64_t base = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, GenerationsTest, ::testing::Values(1, 2, 3));

TEST_P(GenerationsTest, T27_a_clone_is_of_one_instant) {
  ASSERT_NE(base, 0U);
  const std::vector<std::uint64_t> found = read_while_it_runs(Engine::clone);
  EXPECT_GT(found.front(), 0U);
  EXPECT_TRUE(of_one_instant(found)) << ::testing::PrintToString(found);
}

TEST_P(GenerationsTest, T28_a_live_read_is_not) {
  ASSERT_NE(base, 0U);
  const std::vector<std::uint64_t> found = read_while_it_runs(Engine::direct);
  EXPECT_FALSE(of_one_instant(found)) << ::testing::PrintToString(found);
}

TEST_P(GenerationsTest, TheWeakerEngineSaysSo) {
  const auto snapshot = capture(process_of(gens.process).id, SharedMemory::live, Engine::direct);
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->image.process.engine, "direct");
  EXPECT_NE(snapshot->image.process.consistency, "instant");
  EXPECT_TRUE(torn_at(snapshot->image, base));
}

TEST_P(ExecutiveBackendTest, T35_dump_of_a_protected_process) {
  install("counter.exe", ProtectionSigner::windows);
  const Started guarded = start("counter.exe", false, process_flag::protected_process);
  std::ignore = executive->stepper().step(100);
  Process& process = process_of(guarded.process);
  NtThread& thread = *process.threads.front();
  start_dumper(system_token());
  const Counters before = executive->counters();
  const auto refused = capture(process.id);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_STREQ(refused.error().step, "open process");
  EXPECT_EQ(thread.suspend_count, 0U);
  EXPECT_EQ(executive->counters(), before);
  start_dumper(system_token(), {.type = ProtectionType::full, .signer = ProtectionSigner::win_tcb});
  const auto snapshot = capture(process.id);
  ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
  EXPECT_FALSE(dump_of(*snapshot).empty());
}

TEST_P(ExecutiveBackendTest, T45_same_seed_same_dump) {
  std::vector<std::vector<std::byte>> dumps;
  for (int run = 0; run < 2; ++run) {
    forget_dumper();
    boot({});
    install("counter.exe");
    const Started counter = start("counter.exe");
    std::ignore = executive->stepper().step(3000);
    const auto snapshot = capture(process_of(counter.process).id);
    ASSERT_TRUE(snapshot.has_value());
    dumps.push_back(dump_of(*snapshot));
  }
  EXPECT_EQ(dumps[0], dumps[1]);
}

TEST_P(ExecutiveBackendTest, T46_any_fault_of_an_engine_run_leaves_nothing_behind) {
  install("mapper.exe");
  std::uint64_t failures = 0;
  std::uint64_t k = 1;
  for (;; k += 1) {
    forget_dumper();
    const Started mapper = start("mapper.exe");
    std::ignore = executive->stepper().step(20000);
    Process& process = process_of(mapper.process);
    const std::uint32_t id = process.id;
    start_dumper();
    const Counters before = executive->counters();
    executive->faults() = FaultPlan::nth_of_all(k);
    bool failed = false;
    bool exited = false;
    {
      auto snapshot = capture(id);
      failed = !snapshot.has_value();
      if (snapshot) {
        const auto selection = select(snapshot->image, *snapshot->memory);
        EXPECT_TRUE(selection.has_value());
        std::vector<std::byte> piece(1 << 16);
        for (const Region& region : snapshot->image.regions)
          std::ignore = snapshot->memory->read(region.range.begin, piece);
      }
      exited = process.exiting;
    }
    const bool injected = executive->faults().failed() != 0;
    executive->faults() = {};
    EXPECT_EQ(executive->broken_invariant(), "") << k;
    if (!exited) {
      EXPECT_EQ(executive->counters(), before) << k;
      EXPECT_EQ(process.threads.front()->suspend_count, 0U) << k;
    }
    EXPECT_EQ(dumper->process().handles.count(), 0U) << k;
    failures += failed ? 1 : 0;
    EXPECT_EQ(nt().terminate_process(mapper.process, status::success) == status::success, !exited);
    EXPECT_EQ(nt().close(mapper.thread), status::success);
    EXPECT_EQ(nt().close(mapper.process), status::success);
    if (!injected) break;
  }
  EXPECT_GT(k, 50U);
  EXPECT_GT(failures, 10U);
}

TEST_P(ExecutiveBackendTest, WhatCouldNotBeReadOfAModuleIsSaid) {
  install("counter.exe");
  const Started counter = start("counter.exe");
  std::ignore = executive->stepper().step(100);
  const std::uint32_t id = process_of(counter.process).id;
  start_dumper();
  std::uint64_t losses = 0;
  for (std::uint64_t k = 1;; ++k) {
    executive->faults() = FaultPlan::nth(FaultSite::mem_read, k);
    const auto snapshot = capture(id);
    ASSERT_TRUE(snapshot.has_value()) << text(snapshot.error());
    if (executive->faults().failed() == 0) {
      EXPECT_TRUE(std::ranges::none_of(snapshot->image.omissions,
                                       [](const Omission& each) { return !each.asked; }));
      break;
    }
    ++losses;
    EXPECT_TRUE(std::ranges::any_of(snapshot->image.omissions, [](const Omission& each) {
      return !each.asked && each.range.size == 0 && each.why == "unreadable";
    })) << k;
  }
  EXPECT_GT(losses, 5U);
}

TEST_P(ExecutiveBackendTest, RefusalsAreNamed) {
  install("counter.exe");
  const Started counter = start("counter.exe");
  start_dumper();
  const auto nobody = capture(4444);
  ASSERT_FALSE(nobody.has_value());
  EXPECT_EQ(nobody.error().code, Errc::gone);
  std::stop_source stop;
  stop.request_stop();
  CaptureRequest request;
  request.target = static_cast<std::int32_t>(process_of(counter.process).id);
  request.stop = stop.get_token();
  const auto cancelled = backend->capture(request);
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, Errc::cancelled);
  executive->memory().set_commit_limit(executive->counters().commit);
  const auto limited = capture(process_of(counter.process).id);
  ASSERT_FALSE(limited.has_value());
  EXPECT_EQ(limited.error().code, Errc::limit);
  EXPECT_NE(limited.error().subject.find("C000012D"), std::string::npos);
  ASSERT_EQ(nt().terminate_process(counter.process, status::success), status::success);
  const auto dead = capture(process_of(counter.process).id);
  ASSERT_FALSE(dead.has_value());
  EXPECT_EQ(dead.error().code, Errc::gone);
  start_dumper(user_token("S-1-5-21-9-9-9-1002"));
  const Started other = start("counter.exe");
  const auto denied = capture(process_of(other.process).id);
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code, Errc::denied);
}

TEST_P(ExecutiveBackendTest, T50_the_clone_ends_with_its_snapshot) {
  install("counter.exe");
  const Started counter = start("counter.exe");
  start_dumper();
  const Counters before = executive->counters();
  auto first = capture(process_of(counter.process).id);
  auto second = capture(process_of(counter.process).id);
  ASSERT_TRUE(first.has_value() && second.has_value());
  ASSERT_EQ(executive->processes().size(), 5U);
  first->memory.reset();
  EXPECT_EQ(executive->processes().size(), 4U);
  EXPECT_TRUE(word_at(*second, second->image.modules[0].range.begin.value).has_value());
  second->memory.reset();
  EXPECT_EQ(executive->counters(), before);
}

}  // namespace
}  // namespace doppel

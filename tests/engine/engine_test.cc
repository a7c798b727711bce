// SPDX-License-Identifier: Apache-2.0
//
// T49: one engine. The same list of tests runs on real processes and on the executive model, and
// passes on both. Nothing in this file knows which of them it looks at.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/read/open_dump.h>
#include <dumpwriter/sink/file_sink.h>
#include <snapshot/model/image_check.h>
#include <tests/engine/subject.h>
#include <tests/support/live_target.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

std::string text(const Error& error) {
  return std::string(error.step) + " " + error.subject + ", code " +
         std::to_string(static_cast<int>(error.code));
}

#define ASSERT_TAKEN(result) ASSERT_TRUE((result).has_value()) << text((result).error())

class EngineSuite : public testing::TestWithParam<WorldKind> {
 protected:
  void SetUp() override {
    world = GetParam().make(GetParam().seed);
    DOPPEL_SKIP_IF(world->skip_reason());
  }

  Result<Snapshot> capture(const Subject& subject, SharedMemory shared = SharedMemory::live,
                           Engine engine = Engine::automatic) {
    CaptureRequest request;
    request.target = subject.pid();
    request.shared = shared;
    request.engine = engine;
    return world->backend().capture(request);
  }

  static std::optional<std::uint64_t> word(const Snapshot& snapshot, std::uint64_t address) {
    std::uint64_t value = 0;
    const auto bytes = std::as_writable_bytes(std::span(&value, 1));
    for (std::size_t done = 0; done < bytes.size();) {
      const auto got = snapshot.memory->read({address + done}, bytes.subspan(done));
      if (!got) return std::nullopt;
      done += *got;
    }
    return value;
  }

  static std::vector<std::uint64_t> words(const Snapshot& snapshot,
                                          const std::vector<std::uint64_t>& addresses) {
    std::vector<std::uint64_t> values;
    for (const std::uint64_t address : addresses)
      values.push_back(word(snapshot, address).value_or(~std::uint64_t{0}));
    return values;
  }

  static const Region* region_at(const ProcessImage& image, std::uint64_t address) {
    for (const Region& region : image.regions)
      if (region.range.contains({address})) return &region;
    return nullptr;
  }

  static const Omission* omission_at(const ProcessImage& image, std::uint64_t address) {
    for (const Omission& omission : image.omissions)
      if (omission.range.size != 0 && omission.range.contains({address})) return &omission;
    return nullptr;
  }

  static bool torn_at(const ProcessImage& image, std::uint64_t address) {
    return std::ranges::any_of(
        image.torn, [&](const TornRange& torn) { return torn.range.contains({address}); });
  }

  /// Stamps are written in order: at one instant they never rise, and fall by one at most.
  static bool of_one_instant(const std::vector<std::uint64_t>& stamps) {
    return std::ranges::is_sorted(stamps, std::greater{}) && stamps.front() - stamps.back() <= 1;
  }

  std::unique_ptr<World> world;
};

TEST_P(EngineSuite, TheImageIsSound) {
  const auto subject = world->start(SubjectKind::stamping);
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  const ProcessImage& image = snapshot->image;
  const auto sound = check_image(image);
  EXPECT_TRUE(sound.has_value()) << text(sound.error());
  EXPECT_EQ(image.process.pid, subject->pid());
  EXPECT_NE(image.process.executable, "");
  EXPECT_NE(image.process.comm, "");
  EXPECT_FALSE(image.process.arguments.empty());
  EXPECT_EQ(image.process.engine, "clone");
  EXPECT_NE(image.process.tool, "");
  EXPECT_NE(image.process.captured_at_ns, 0);
  EXPECT_FALSE(image.fault.has_value());
  for (const Thread& thread : image.threads) {
    EXPECT_TRUE(thread.registers.complete);
    const Region* code = region_at(image, thread.registers.general.rip);
    ASSERT_NE(code, nullptr);
    EXPECT_TRUE(code->access.execute);
    const Region* stack = region_at(image, thread.registers.general.rsp);
    ASSERT_NE(stack, nullptr);
    EXPECT_TRUE(stack->access.write);
    EXPECT_TRUE(word(*snapshot, thread.registers.general.rip).has_value());
    EXPECT_TRUE(word(*snapshot, thread.registers.general.rsp).has_value());
  }
}

TEST_P(EngineSuite, ModulesAreMappedWhereTheySay) {
  const auto subject = world->start(SubjectKind::stamping);
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  const ProcessImage& image = snapshot->image;
  const auto main = std::ranges::find(image.modules, image.process.executable, &Module::path);
  ASSERT_NE(main, image.modules.end());
  for (const Module& module : image.modules) {
    EXPECT_NE(module.path, "");
    EXPECT_GT(module.range.size, 0U);
    EXPECT_NE(region_at(image, module.range.begin.value), nullptr) << module.path;
    EXPECT_TRUE(word(*snapshot, module.range.begin.value).has_value()) << module.path;
  }
}

TEST_P(EngineSuite, TheSnapshotStaysAndTheTargetGoesOn) {
  const auto subject = world->start(SubjectKind::stamping);
  const std::vector<std::uint64_t> stamps = subject->stamps();
  ASSERT_GT(stamps.size(), 4U);
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  const std::vector<std::uint64_t> before = words(*snapshot, stamps);
  for (int i = 0; i < 3; ++i) {
    subject->let_run();
    EXPECT_EQ(words(*snapshot, stamps), before);
  }
  for (std::size_t i = 0; i < stamps.size(); ++i)
    EXPECT_GT(subject->own_word(stamps[i]), before[i]);
}

TEST_P(EngineSuite, ACloneIsOfOneInstant) {
  const auto subject = world->start(SubjectKind::stamping);
  const std::vector<std::uint64_t> stamps = subject->stamps();
  for (int i = 0; i < 10; ++i) {
    const auto snapshot = capture(*subject);
    ASSERT_TAKEN(snapshot);
    EXPECT_EQ(snapshot->image.process.consistency, "instant");
    // Read slowly, while the target writes.
    std::vector<std::uint64_t> found;
    for (const std::uint64_t stamp : stamps) {
      if (found.size() % 8 == 0) subject->let_run();
      found.push_back(word(*snapshot, stamp).value_or(~std::uint64_t{0}));
    }
    EXPECT_TRUE(of_one_instant(found)) << testing::PrintToString(found);
  }
}

TEST_P(EngineSuite, TheWeakerEngineIsTornAndSaysSo) {
  const auto subject = world->start(SubjectKind::stamping);
  const std::vector<std::uint64_t> stamps = subject->stamps();
  const auto snapshot = capture(*subject, SharedMemory::live, Engine::direct);
  ASSERT_TAKEN(snapshot);
  EXPECT_EQ(snapshot->image.process.engine, "direct");
  EXPECT_NE(snapshot->image.process.consistency, "instant");
  EXPECT_TRUE(torn_at(snapshot->image, stamps.front()));
  std::vector<std::uint64_t> found;
  for (const std::uint64_t stamp : stamps) {
    subject->let_run();
    found.push_back(word(*snapshot, stamp).value_or(0));
  }
  EXPECT_FALSE(of_one_instant(found)) << testing::PrintToString(found);
}

TEST_P(EngineSuite, SharedMemoryIsReadLaterCopiedOrOmitted) {
  const auto subject = world->start(SubjectKind::sharing);
  const std::uint64_t shared = subject->shared_word();
  ASSERT_NE(shared, 0U);
  const auto live = capture(*subject);
  ASSERT_TAKEN(live);
  const auto copy = capture(*subject, SharedMemory::copy);
  ASSERT_TAKEN(copy);
  const auto omit = capture(*subject, SharedMemory::omit);
  ASSERT_TAKEN(omit);
  for (const auto* snapshot : {&live, &copy, &omit}) {
    const Region* region = region_at((*snapshot)->image, shared);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->sharing, Sharing::shared);
  }
  EXPECT_TRUE(torn_at(live->image, shared));
  EXPECT_FALSE(torn_at(copy->image, shared));
  EXPECT_EQ(omission_at(live->image, shared), nullptr);
  EXPECT_EQ(omission_at(copy->image, shared), nullptr);
  EXPECT_EQ(word(*live, shared), subject->own_word(shared)) << "one storage";
  EXPECT_TRUE(word(*copy, shared).has_value());
  const Omission* asked = omission_at(omit->image, shared);
  ASSERT_NE(asked, nullptr);
  EXPECT_TRUE(asked->asked);
}

TEST_P(EngineSuite, UntouchedMemoryIsZero) {
  const auto subject = world->start(SubjectKind::sharing);
  const std::uint64_t page = subject->untouched_page();
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  // Looked at first: reading gives it a page.
  const auto extents = snapshot->memory->survey({{page}, 4096});
  ASSERT_TAKEN(extents);
  ASSERT_EQ(extents->size(), 1U);
  EXPECT_EQ(extents->front().range, (AddressRange{{page}, 4096}));
  EXPECT_EQ(extents->front().kind, Extent::Kind::untouched);
  EXPECT_EQ(word(*snapshot, page), 0U);
}

TEST_P(EngineSuite, WhatIsNotMappedIsNotRead) {
  const auto subject = world->start(SubjectKind::stamping);
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  std::array<std::byte, 8> bytes{};
  const auto none = snapshot->memory->read({0x1000}, bytes);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Errc::unmapped);
  // A read that begins in memory and ends outside stops at the border.
  const Region& last = snapshot->image.regions.front();
  const auto extents = snapshot->memory->survey(last.range);
  ASSERT_TAKEN(extents);
  std::uint64_t covered = 0;
  for (const Extent& extent : *extents) covered += extent.range.size;
  EXPECT_EQ(covered, last.range.size);
}

TEST_P(EngineSuite, HandlesAreDescribedAndNotHeld) {
  const auto subject = world->start(SubjectKind::holding);
  EXPECT_FALSE(subject->can_be_taken());
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  EXPECT_GE(snapshot->image.handles.size(), 2U);
  for (const Handle& handle : snapshot->image.handles) EXPECT_NE(handle.kind, "");
  EXPECT_FALSE(subject->can_be_taken());
  subject->give_up();
  EXPECT_TRUE(subject->can_be_taken()) << "the snapshot holds it";
  EXPECT_TRUE(word(*snapshot, snapshot->image.threads.front().registers.general.rsp).has_value());
}

TEST_P(EngineSuite, TheSnapshotOutlivesItsTarget) {
  const auto subject = world->start(SubjectKind::stamping);
  const std::vector<std::uint64_t> stamps = subject->stamps();
  const auto snapshot = capture(*subject);
  ASSERT_TAKEN(snapshot);
  const std::vector<std::uint64_t> before = words(*snapshot, stamps);
  subject->end();
  EXPECT_EQ(words(*snapshot, stamps), before);
  EXPECT_TRUE(of_one_instant(before));
  const auto again = capture(*subject);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Errc::gone);
}

TEST_P(EngineSuite, SnapshotsAreIndependent) {
  const auto subject = world->start(SubjectKind::stamping);
  const std::vector<std::uint64_t> stamps = subject->stamps();
  auto first = capture(*subject);
  ASSERT_TAKEN(first);
  subject->let_run();
  const auto second = capture(*subject);
  ASSERT_TAKEN(second);
  const std::vector<std::uint64_t> then = words(*first, stamps);
  const std::vector<std::uint64_t> now = words(*second, stamps);
  for (std::size_t i = 0; i < stamps.size(); ++i) EXPECT_GT(now[i], then[i]);
  *first = Snapshot{};
  subject->let_run();
  EXPECT_EQ(words(*second, stamps), now);
}

TEST_P(EngineSuite, TheTargetIsUnharmedAndNothingIsLeft) {
  for (const SubjectKind kind :
       {SubjectKind::stamping, SubjectKind::sharing, SubjectKind::holding}) {
    const auto subject = world->start(kind);
    for (int i = 0; i < 10; ++i) {
      const auto snapshot = capture(*subject, i % 2 == 0 ? SharedMemory::live : SharedMemory::copy);
      ASSERT_TAKEN(snapshot);
    }
    EXPECT_EQ(world->leftovers(), "");
    EXPECT_EQ(subject->harm(), "");
  }
}

TEST_P(EngineSuite, RefusalsAreNamedAndTouchNothing) {
  const auto subject = world->start(SubjectKind::stamping);
  CaptureRequest request;
  request.target = world->nobody();
  const auto nobody = world->backend().capture(request);
  ASSERT_FALSE(nobody.has_value());
  EXPECT_EQ(nobody.error().code, Errc::gone);
  std::stop_source stop;
  stop.request_stop();
  request.target = subject->pid();
  request.stop = stop.get_token();
  const auto cancelled = world->backend().capture(request);
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, Errc::cancelled);
  EXPECT_EQ(world->leftovers(), "");
  EXPECT_EQ(subject->harm(), "");
}

TEST_P(EngineSuite, EveryFormatReadsBack) {
  for (const DumpFormat* format : all_formats()) {
    SCOPED_TRACE(format->name());
    const TempDir directory;
    const auto subject = world->start(SubjectKind::stamping);
    const std::vector<std::uint64_t> stamps = subject->stamps();
    auto snapshot = capture(*subject);
    ASSERT_TAKEN(snapshot);
    const ProcessImage image = snapshot->image;
    const std::vector<std::uint64_t> truth = words(*snapshot, stamps);
    const auto selection = select(image, *snapshot->memory);
    ASSERT_TAKEN(selection);
    auto plan = format->plan(image, *selection);
    ASSERT_TAKEN(plan);
    const std::string path = directory.file("dump");
    auto sink = FileSink::create(path);
    ASSERT_TAKEN(sink);
    WriteOptions options;
    options.threads = 2;
    auto job = WriteJob::start(std::move(*snapshot), std::move(*plan), std::move(*sink), options);
    // The target goes on while its dump is written on other threads.
    for (int i = 0; i < 3; ++i) subject->let_run();
    const auto report = std::move(job).wait();
    ASSERT_TAKEN(report);
    EXPECT_EQ(world->leftovers(), "");

    const auto back = open_dump(path);
    ASSERT_TAKEN(back);
    EXPECT_EQ(back->image.process.pid, image.process.pid);
    ASSERT_EQ(back->image.threads.size(), image.threads.size());
    for (std::size_t i = 0; i < image.threads.size(); ++i) {
      EXPECT_EQ(back->image.threads[i].id, image.threads[i].id);
      EXPECT_EQ(back->image.threads[i].registers.general.rip,
                image.threads[i].registers.general.rip);
      EXPECT_EQ(back->image.threads[i].registers.general.rsp,
                image.threads[i].registers.general.rsp);
    }
    EXPECT_EQ(back->image.modules.size(), image.modules.size());
    EXPECT_EQ(words(*back, stamps), truth);
  }
}

INSTANTIATE_TEST_SUITE_P(T49, EngineSuite,
                         testing::Values(WorldKind{"Linux", make_linux_world, 0},
                                         WorldKind{"Executive1", make_executive_world, 1},
                                         WorldKind{"Executive2", make_executive_world, 2},
                                         WorldKind{"Executive3", make_executive_world, 3}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace doppel

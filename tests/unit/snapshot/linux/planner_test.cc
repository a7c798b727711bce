// SPDX-License-Identifier: Apache-2.0
//
// What a stop has to do, how long that takes, and which engine is chosen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <snapshot/linux/planner.h>

namespace doppel {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

Region region(std::uint64_t resident, std::uint64_t anonymous, std::uint64_t huge = 0) {
  Region region;
  region.range = {{0x1000}, 1ull << 30};
  region.access = {true, true, false};
  region.resident = resident;
  region.anonymous = anonymous;
  region.anonymous_huge = huge;
  return region;
}

Preflight facts_of(std::vector<Region> regions) {
  Preflight facts;
  facts.exists = facts.may_attach = facts.mappings_known = true;
  facts.details.resize(regions.size());
  facts.regions = std::move(regions);
  facts.threads.resize(3);
  facts.threads[0].state = 'R';
  facts.threads[1].state = 'S';
  facts.threads[2].state = 'D';
  return facts;
}

StopWork work_of(std::vector<Region> regions, SharedMemory shared = SharedMemory::live) {
  return count_work(facts_of(std::move(regions)), shared);
}

TEST(CountWork, AnonymousMemoryByPageSize) {
  const StopWork work = work_of({region(10 * kMiB, 10 * kMiB, 4 * kMiB)});
  EXPECT_EQ(work.mappings, 1u);
  EXPECT_EQ(work.huge_pages, 2u);
  EXPECT_EQ(work.small_pages, 6 * kMiB / 4096);
  EXPECT_EQ(work.running_threads, 1u);
  EXPECT_EQ(work.sleeping_threads, 2u);
}

TEST(CountWork, AFileMappingIsCopiedOnlyOnceWritten) {
  Region file = region(8 * kMiB, 0);
  file.backing = Backing::file;
  EXPECT_EQ(work_of({file}).file_pages, 0u);
  file.anonymous = 4096;
  const StopWork work = work_of({file});
  EXPECT_EQ(work.file_pages, 8 * kMiB / 4096 - 1);
  EXPECT_EQ(work.small_pages, 1u);
}

TEST(CountWork, SharedMemoryCostsOnlyWhenItIsCopied) {
  Region shared = region(8 * kMiB, 0);
  shared.sharing = Sharing::shared;
  shared.backing = Backing::shared_memory;
  EXPECT_EQ(work_of({shared}).small_pages, 0u);
  EXPECT_EQ(work_of({shared}).copied_bytes, 0u);
  EXPECT_EQ(work_of({shared}, SharedMemory::omit).copied_bytes, 0u);
  EXPECT_EQ(work_of({shared}, SharedMemory::copy).copied_bytes, 8 * kMiB);
  shared.backing = Backing::device;
  EXPECT_EQ(work_of({shared}, SharedMemory::copy).copied_bytes, 0u);
}

TEST(CountWork, UnforkedMemoryIsNotInTheCloneButMapsAreRead) {
  Region unforked = region(8 * kMiB, 8 * kMiB);
  unforked.traits.dont_fork = true;
  const StopWork work = work_of({unforked, region(0, 0)});
  EXPECT_EQ(work.mappings, 1u);
  EXPECT_EQ(work.small_pages, 0u);
  EXPECT_EQ(work.maps_lines, 2u);
  EXPECT_EQ(work_of({region(0, 0)}).maps_lines, 0u);
}

TEST(CountWork, HugetlbSwapAndPins) {
  Region huge = region(8 * kMiB, 0);
  huge.traits.huge_tlb = true;
  Region swapped = region(0, 0);
  swapped.swapped = kMiB;
  Preflight facts = facts_of({huge, swapped});
  facts.details[0].page_size = 2 * kMiB;
  facts.pinned = 12345;
  const StopWork work = count_work(facts, SharedMemory::live);
  EXPECT_EQ(work.hugetlb_pages, 4u);
  EXPECT_EQ(work.swap_entries, 256u);
  EXPECT_EQ(work.pinned_bytes, 12345u);
}

TEST(CountWork, HugePagesThatACloneWouldLoseAreRead) {
  Region huge = region(8 * kMiB, 0);
  huge.traits.huge_tlb = true;
  Region shared = huge;
  shared.range.begin.value += 1ull << 32;
  shared.sharing = Sharing::shared;
  Preflight facts = facts_of({region(kMiB, kMiB), huge, shared});
  facts.regions[0].range.begin.value -= 0x1000;
  EXPECT_TRUE(ranges_read_in_stop(facts, SharedMemory::live).empty());
  facts.gates.push_back({.id = GateId::huge_page_pool, .severity = Severity::loses});
  EXPECT_TRUE(ranges_read_in_stop(facts, SharedMemory::live).empty());
  facts.gates.back().severity = Severity::note;
  EXPECT_EQ(ranges_read_in_stop(facts, SharedMemory::live), std::vector{huge.range});
  EXPECT_EQ(count_work(facts, SharedMemory::live).copied_bytes, 8 * kMiB);
  EXPECT_EQ(count_work(facts, SharedMemory::copy).copied_bytes, 16 * kMiB);
}

TEST(CountWork, NumbersThatContradictEachOtherDoNotWrap) {
  // The counts are read while the process runs: anonymous may exceed resident for a moment.
  const StopWork work = work_of({region(4096, 10 * kMiB, 20 * kMiB)});
  EXPECT_LE(work.small_pages + work.file_pages + work.huge_pages, 1u);
}

TEST(Predict, AddsUp) {
  StopWork work;
  work.small_pages = 1000;
  work.mappings = 10;
  work.sleeping_threads = 2;
  const StopCosts costs{.base = 1000, .mapping = 100, .small_page = 10, .sleeping_thread = 500};
  EXPECT_EQ(predict_pause_us(work, costs, true), 13u);  // 1 + 1 + 10 + 1 microseconds
  EXPECT_EQ(predict_pause_us(work, costs, false), 2u);  // no page is copied
}

TEST(Predict, GrowsWithEveryKindOfWork) {
  const StopCosts costs;
  const std::uint64_t nothing = predict_pause_us({}, costs, true);
  for (auto field : {&StopWork::mappings, &StopWork::small_pages, &StopWork::file_pages,
                     &StopWork::huge_pages, &StopWork::hugetlb_pages, &StopWork::swap_entries,
                     &StopWork::pinned_bytes, &StopWork::copied_bytes, &StopWork::maps_lines,
                     &StopWork::sleeping_threads, &StopWork::running_threads}) {
    StopWork work;
    work.*field = 1'000'000;
    EXPECT_GT(predict_pause_us(work, costs, true), nothing + 10);
  }
}

TEST(Predict, ASlowerMachineTakesLonger) {
  StopWork work;
  work.small_pages = 1'000'000;
  work.sleeping_threads = 100;
  const StopCosts costs;
  EXPECT_EQ(predict_pause_us(work, scale(costs, 2), true), 2 * predict_pause_us(work, costs, true));
  Preflight facts = facts_of({region(1ull << 30, 1ull << 30)});
  const std::uint64_t before = plan_stop(facts, {})->predicted_pause_us;
  facts.slowness = 3;
  EXPECT_NEAR(static_cast<double>(plan_stop(facts, {})->predicted_pause_us),
              3.0 * static_cast<double>(before), 3);
}

Gate gate(GateId id, Severity severity, bool overridable = false) {
  return {id, severity, "what", "why", "remedy", overridable};
}

TEST(Plan, WithoutGatesItIsTheClone) {
  const auto plan = plan_stop(facts_of({region(kMiB, kMiB)}), {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->engine, Engine::clone);
  EXPECT_TRUE(plan->attach);
  EXPECT_EQ(plan->consistency, "instant");
  EXPECT_GT(plan->predicted_pause_us, 0u);
  EXPECT_TRUE(plan->reasons.empty());
}

TEST(Plan, WhatForbidsIsRefusedWithItsCode) {
  Preflight facts = facts_of({});
  facts.gates = {gate(GateId::yama, Severity::forbids)};
  for (const Engine engine : {Engine::automatic, Engine::clone, Engine::direct}) {
    const auto plan = plan_stop(facts, {.engine = engine});
    ASSERT_FALSE(plan.has_value());
    EXPECT_EQ(plan.error().code, Errc::denied);
    EXPECT_EQ(plan.error().subject, "what (why); remedy");
  }
}

TEST(Plan, AGateAgainstTheCloneLeavesTheDirectEngine) {
  Preflight facts = facts_of({region(kMiB, kMiB)});
  facts.gates = {gate(GateId::seccomp, Severity::forbids_injection),
                 gate(GateId::swapped, Severity::note)};
  const auto plan = plan_stop(facts, {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->engine, Engine::direct);
  EXPECT_TRUE(plan->attach);
  EXPECT_NE(plan->consistency, "instant");
  ASSERT_EQ(plan->reasons.size(), 1u);
  EXPECT_EQ(plan->reasons[0].id, GateId::seccomp);
  // Asked for by name it is refused.
  const auto insisted = plan_stop(facts, {.engine = Engine::clone});
  ASSERT_FALSE(insisted.has_value());
  EXPECT_EQ(insisted.error().code, Errc::unsupported);
}

TEST(Plan, AnOverridableGateYieldsToTheName) {
  Preflight facts = facts_of({});
  facts.gates = {gate(GateId::pinned_memory, Severity::forbids_injection, true)};
  EXPECT_EQ(plan_stop(facts, {})->engine, Engine::direct);
  EXPECT_EQ(plan_stop(facts, {.engine = Engine::clone})->engine, Engine::clone);
}

TEST(Plan, ATracedProcessIsForTheDirectEngineByNameOnly) {
  Preflight facts = facts_of({});
  facts.gates = {gate(GateId::traced, Severity::forbids_injection)};
  EXPECT_EQ(plan_stop(facts, {}).error().code, Errc::denied);
  const auto plan = plan_stop(facts, {.engine = Engine::direct});
  ASSERT_TRUE(plan.has_value());
  EXPECT_FALSE(plan->attach);
  EXPECT_EQ(plan->predicted_pause_us, 0u);
  EXPECT_EQ(plan->consistency, "registers and memory read while the process ran");
}

TEST(Plan, AFrozenProcessIsNotWaitedFor) {
  Preflight facts = facts_of({});
  facts.gates = {gate(GateId::frozen, Severity::forbids_injection)};
  const auto plan = plan_stop(facts, {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_FALSE(plan->attach);
  EXPECT_THAT(plan->consistency, testing::HasSubstr("frozen"));
}

TEST(Plan, TheLimitOfThePauseHolds) {
  const Preflight facts = facts_of({region(1ull << 30, 1ull << 30)});
  const std::uint64_t predicted = plan_stop(facts, {})->predicted_pause_us;
  CaptureRequest request;
  request.max_pause = std::chrono::microseconds(predicted);
  EXPECT_TRUE(plan_stop(facts, request).has_value());
  request.max_pause = std::chrono::microseconds(predicted - 1);
  const auto refused = plan_stop(facts, request);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::limit);
  EXPECT_THAT(refused.error().subject, testing::HasSubstr("ms predicted"));
  request.max_pause = std::chrono::microseconds(-5);
  EXPECT_FALSE(plan_stop(facts, request).has_value());
  // Nothing is stopped: no limit is exceeded.
  Preflight traced = facts;
  traced.gates = {gate(GateId::traced, Severity::forbids_injection)};
  request.max_pause = std::chrono::microseconds(0);
  request.engine = Engine::direct;
  EXPECT_TRUE(plan_stop(traced, request).has_value());
}

TEST(GateText, ReadsAsASentence) {
  EXPECT_EQ(gate_line(gate(GateId::yama, Severity::forbids)), "what (why); remedy");
  EXPECT_EQ(gate_line({GateId::swapped, Severity::note, "what", "", "", false}), "what");
  EXPECT_EQ(bytes_text(0), "0 bytes");
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(20ull << 20), "20 MiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "15 EiB");
}

TEST(GateText, NamesAreUnique) {
  std::vector<std::string_view> names;
  for (int id = 0; id <= static_cast<int>(GateId::unknown); ++id) {
    names.push_back(gate_name(static_cast<GateId>(id)));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace doppel

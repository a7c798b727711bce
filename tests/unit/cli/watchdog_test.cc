// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cli/watchdog.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::uint64_t kGiB = 1ull << 30;
constexpr std::chrono::steady_clock::time_point kStart{1000s};

MemoryReading pools(std::chrono::milliseconds at, std::uint64_t left,
                    std::uint64_t total = 100 * kGiB) {
  return {.at = kStart + at,
          .pools = {{.name = "the machine", .total = total, .left = left}},
          .stalls = {}};
}

MemoryReading stalls(std::chrono::milliseconds at, std::uint64_t total_us, double before = 0) {
  return {.at = kStart + at,
          .pools = {},
          .stalls = {{.name = "the machine", .total_us = total_us, .share_before = before}}};
}

std::string verdict(const MemoryReading& before, const MemoryReading& now) {
  return must_give_up(now, before, nullptr, before).value_or("");
}

TEST(watchdog, floor_is_two_percent_within_bounds) {
  EXPECT_EQ(head_room_floor(10 * kGiB), 10 * kGiB / 50);
  EXPECT_EQ(head_room_floor(1000 * kGiB), kGiB);
  EXPECT_EQ(head_room_floor(kGiB), 32 * kMiB);
  EXPECT_EQ(head_room_floor(64 * kMiB), 8 * kMiB) << "a small pool is not always too full";
  EXPECT_EQ(head_room_floor(0), 0u);
}

TEST(watchdog, lives_on_while_there_is_room) {
  EXPECT_EQ(verdict(pools(0ms, 50 * kGiB), pools(100ms, 50 * kGiB)), "");
  EXPECT_EQ(verdict(pools(0ms, 50 * kGiB), pools(100ms, 60 * kGiB)), "");
  EXPECT_EQ(verdict(pools(0ms, kGiB), pools(100ms, kGiB)), "") << "at the floor, and steady";
}

TEST(watchdog, gives_up_below_the_floor) {
  EXPECT_EQ(verdict(pools(0ms, kGiB), pools(100ms, kGiB - 1)),
            "memory of the machine runs out: 1.00 GiB of 100 GiB left");
}

TEST(watchdog, gives_up_when_the_floor_will_be_reached_before_it_can_act) {
  // 200 MiB in 100 ms: 600 MiB in the next 300 ms.
  EXPECT_EQ(verdict(pools(0ms, kGiB + 900 * kMiB), pools(100ms, kGiB + 700 * kMiB)), "");
  EXPECT_EQ(verdict(pools(0ms, kGiB + 700 * kMiB), pools(100ms, kGiB + 500 * kMiB)),
            "memory of the machine runs out: 1.49 GiB of 100 GiB left, 1.95 GiB less every second");
}

TEST(watchdog, every_pool_counts) {
  MemoryReading now = pools(100ms, 50 * kGiB);
  now.pools.push_back({.name = "cgroup /x", .total = kGiB, .left = 10 * kMiB});
  EXPECT_THAT(verdict(pools(0ms, 50 * kGiB), now), HasSubstr("cgroup /x"));
}

TEST(watchdog, stalls_need_a_window_and_more_than_usual) {
  const MemoryReading first = stalls(0ms, 0);
  const MemoryReading now = stalls(1000ms, 450'000);
  EXPECT_EQ(must_give_up(now, first, nullptr, first), std::nullopt);
  EXPECT_EQ(must_give_up(now, first, &first, first),
            "the machine stood still for want of memory for 45 % of the last second");
  const MemoryReading usual = stalls(0ms, 0, 0.3);
  EXPECT_EQ(must_give_up(now, usual, &usual, usual), std::nullopt) << "it did so before, too";
  const MemoryReading mild = stalls(1000ms, 390'000);
  EXPECT_EQ(must_give_up(mild, first, &first, first), std::nullopt);
  const MemoryReading backwards = stalls(1000ms, 0);
  const MemoryReading high = stalls(0ms, 1'000'000);
  EXPECT_EQ(must_give_up(backwards, high, &high, high), std::nullopt);
}

TEST(watchdog, nothing_readable_is_no_reason) {
  const MemoryReading nothing{.at = kStart, .pools = {}, .stalls = {}};
  EXPECT_EQ(must_give_up(nothing, nothing, &nothing, nothing), std::nullopt);
}

TEST(watchdog, reads_meminfo) {
  const auto pool = parse_meminfo(
      "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n"
      "SwapTotal:       2000000 kB\nSwapFree:        1000000 kB\n");
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->total, 16'000'000ull << 10);
  EXPECT_EQ(pool->left, 9'000'000ull << 10);
  EXPECT_EQ(parse_meminfo("MemTotal: 1 kB\n"), std::nullopt);
  EXPECT_EQ(parse_meminfo(""), std::nullopt);
}

TEST(watchdog, reads_pressure) {
  const auto stall = parse_pressure(
      "some avg10=9.99 avg60=0.00 avg300=0.00 total=777\n"
      "full avg10=12.50 avg60=1.00 avg300=0.00 total=123456\n",
      "x");
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->name, "x");
  EXPECT_EQ(stall->total_us, 123456u);
  EXPECT_DOUBLE_EQ(stall->share_before, 0.125);
  EXPECT_EQ(parse_pressure("some avg10=0 total=1\n", "x"), std::nullopt);
  EXPECT_EQ(parse_pressure("full total=x\n", "x"), std::nullopt);
  EXPECT_EQ(parse_pressure("", "x"), std::nullopt);
}

TEST(watchdog, a_cgroup_full_of_page_cache_has_room) {
  const char* stat =
      "anon 100\nfile 900\ninactive_anon 5\nactive_file 200\ninactive_file 300\n"
      "slab_reclaimable 50\n";
  const auto pool = parse_cgroup_memory("x", "1000\n", {"1000\n", "max\n"}, stat);
  ASSERT_TRUE(pool);
  EXPECT_EQ(*pool, (PoolReading{.name = "x", .total = 1000, .left = 550}));
}

TEST(watchdog, the_lowest_limit_of_a_cgroup_counts) {
  EXPECT_EQ(parse_cgroup_memory("x", "100\n", {"1000\n", "400\n"}, "")->left, 300u);
  EXPECT_EQ(parse_cgroup_memory("x", "500\n", {"1000\n", "400\n"}, "")->left, 0u);
  EXPECT_EQ(parse_cgroup_memory("x", "500\n", {"max\n", "max\n"}, ""), std::nullopt);
  EXPECT_EQ(parse_cgroup_memory("x", "500\n", {"9223372036854771712\n"}, ""), std::nullopt);
  EXPECT_EQ(parse_cgroup_memory("x", "", {"1000\n"}, ""), std::nullopt);
}

TEST(watchdog, the_old_hierarchy_counts_children_under_total) {
  const char* stat =
      "inactive_file 1\nactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n";
  EXPECT_EQ(parse_cgroup_memory("x", "900\n", {"1000\n"}, stat)->left, 600u);
}

}  // namespace
}  // namespace doppel

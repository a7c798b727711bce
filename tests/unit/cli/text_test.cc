// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cli/render/text.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using testing::Not;

CaptureReport sample() {
  CaptureReport report;
  report.dump = "redis-server.4711.20261122T064705Z.core.zst";
  report.format = "elf";
  report.process.pid = 4711;
  report.process.comm = "redis-server";
  report.process.executable = "/usr/bin/redis-server";
  report.process.engine = "clone";
  report.process.consistency = "instant";
  report.process.timings = {.pause_us = 12'300,
                            .running_pause_us = 11'900,
                            .predicted_pause_us = 14'000,
                            .clone_us = 11'000,
                            .injection_us = 40};
  report.threads = 17;
  report.regions = 345;
  report.memory_bytes = 1ull << 30;
  report.dump_bytes = 212ull << 20;
  report.write_ms = 3200;
  return report;
}

Omission omission(std::string why, std::uint64_t begin, std::uint64_t size, bool asked) {
  return {.what = "memory",
          .range = {.begin = Address{begin}, .size = size},
          .why = std::move(why),
          .asked = asked};
}

TEST(text, a_capture_without_losses) {
  EXPECT_EQ(capture_text(sample(), Style{false}),
            "captured redis-server (4711): paused 12.3 ms, 14.0 ms predicted; 11.9 ms for threads "
            "that ran\n"
            "  engine    clone, instant\n"
            "  memory    1.00 GiB in 345 mappings, 17 threads\n"
            "  dump      212 MiB written in 3.20 s, 320 MiB/s\n"
            "  open      zstd -d redis-server.4711.20261122T064705Z.core.zst && gdb "
            "/usr/bin/redis-server redis-server.4711.20261122T064705Z.core\n");
  EXPECT_EQ(losses_text(sample(), Style{false}), "");
  EXPECT_FALSE(has_losses(sample()));
}

TEST(text, losses_are_told_apart_from_wishes) {
  CaptureReport report = sample();
  report.omissions = {omission("unreadable", 0x1000, 4096, false),
                      omission("MADV_DONTDUMP", 0x8000, 8192, true),
                      omission("unreadable", 0x3000, 4096, false),
                      {.what = "handles", .range = {}, .why = "not permitted", .asked = false}};
  report.torn = {{.range = {.begin = Address{0x9000}, .size = 12 << 20},
                  .why = "shared memory, read after the release"}};
  report.cut_short = "after 3 s, as asked by --timeout";
  EXPECT_TRUE(has_losses(report));
  const std::string text = capture_text(report, Style{false});
  EXPECT_THAT(text, HasSubstr("  cut short after 3 s, as asked by --timeout\n"
                              "  missing   memory, 8.00 KiB in 2 ranges from 0x1000: unreadable\n"
                              "            handles: not permitted\n"
                              "  later     12.0 MiB in 1 range not of that instant: shared memory, "
                              "read after the release\n"
                              "  left out  memory, 8.00 KiB at 0x8000: MADV_DONTDUMP\n"));
  EXPECT_EQ(losses_text(report, Style{false}),
            "  cut short after 3 s, as asked by --timeout\n"
            "  missing   memory, 8.00 KiB in 2 ranges from 0x1000: unreadable\n"
            "            handles: not permitted\n");
}

TEST(text, wishes_are_no_losses) {
  CaptureReport report = sample();
  report.omissions = {omission("MADV_DONTDUMP", 0x8000, 8192, true)};
  EXPECT_FALSE(has_losses(report));
  EXPECT_EQ(losses_text(report, Style{false}), "");
}

TEST(text, many_kinds_of_losses_stay_a_few_lines) {
  CaptureReport report = sample();
  for (int i = 0; i < 100; ++i)
    report.omissions.push_back(omission("reason " + std::to_string(i), 0x1000, 4096, false));
  const std::string text = losses_text(report, Style{false});
  EXPECT_EQ(std::ranges::count(text, '\n'), 9);
  EXPECT_THAT(text, HasSubstr("and 92 more kinds, listed in the dump"));
}

TEST(text, the_direct_engine_names_its_grade) {
  CaptureReport report = sample();
  report.process.engine = "direct";
  report.process.consistency = "torn: read while the process ran";
  report.process.timings = {};
  EXPECT_THAT(capture_text(report, Style{false}),
              HasSubstr("captured redis-server (4711): not paused\n"
                        "  engine    direct, torn: read while the process ran\n"));
}

TEST(text, the_way_to_open_it_fits_the_file) {
  CaptureReport report = sample();
  report.dump = "my dump";
  EXPECT_THAT(capture_text(report, Style{false}),
              HasSubstr("zstd -dc 'my dump' > 'my dump.elf' && gdb /usr/bin/redis-server 'my "
                        "dump.elf'\n"));
  report.compressed = false;
  EXPECT_THAT(capture_text(report, Style{false}),
              HasSubstr("  open      gdb /usr/bin/redis-server 'my dump'\n"));
  report.dump.reset();
  EXPECT_THAT(capture_text(report, Style{false}), Not(HasSubstr("open")));
}

TEST(text, names_of_strangers_are_made_harmless) {
  CaptureReport report = sample();
  report.process.comm = "x\x1b[2J";
  EXPECT_THAT(capture_text(report, Style{false}), HasSubstr("captured x\\x1b[2J (4711)"));
}

TEST(text, nobody_ran) {
  CaptureReport report = sample();
  report.process.timings.running_pause_us = 0;
  EXPECT_THAT(capture_text(report, Style{false}),
              HasSubstr("captured redis-server (4711): paused 12.3 ms, 14.0 ms predicted\n"));
}

TEST(report, what_is_left_out_is_not_torn) {
  const auto torn = [](std::uint64_t begin, std::uint64_t size) {
    return TornRange{.range = {.begin = Address{begin}, .size = size}, .why = "shared"};
  };
  const std::vector<Omission> gaps = {omission("filter", 0x2000, 0x2000, true)};
  EXPECT_EQ(torn_in_dump({torn(0x1000, 0x1000), torn(0x2000, 0x2000), torn(0x3000, 0x1000),
                          torn(0x3000, 0x2000), torn(0x4000, 0x1000)},
                         gaps),
            (std::vector{torn(0x1000, 0x1000), torn(0x3000, 0x2000), torn(0x4000, 0x1000)}));
}

TEST(report, omissions_group_by_kind_in_order) {
  const auto groups = group_omissions({omission("a", 1, 10, false), omission("b", 2, 20, true),
                                       omission("a", 3, 30, false), omission("a", 4, 40, true)});
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0], (OmissionGroup{.what = "memory",
                                      .why = "a",
                                      .asked = false,
                                      .count = 2,
                                      .size = 40,
                                      .first = {.begin = Address{1}, .size = 10}}));
  EXPECT_EQ(groups[1].why, "b");
  EXPECT_TRUE(groups[2].asked);
}

}  // namespace
}  // namespace doppel

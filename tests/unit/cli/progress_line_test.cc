// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cli/render/progress_line.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

constexpr ProgressLine::Clock::time_point kStart{1000s};
constexpr std::uint64_t kGiB = 1ull << 30;

TEST(progress_line, says_how_much_how_fast_how_long) {
  ProgressLine line(kStart, kGiB);
  EXPECT_EQ(line.update(kStart, 0, 80), "writing   0 %  0 B of 1.00 GiB");
  EXPECT_EQ(line.update(kStart + 1s, kGiB / 4, 80),
            "writing  25 %  256 MiB of 1.00 GiB  256 MiB/s  3 s left");
  EXPECT_EQ(line.update(kStart + 2s, kGiB / 2, 80),
            "writing  50 %  512 MiB of 1.00 GiB  256 MiB/s  2 s left");
  EXPECT_EQ(line.update(kStart + 4s, kGiB, 80),
            "writing 100 %  1.00 GiB of 1.00 GiB  256 MiB/s  0 s left");
}

TEST(progress_line, waits_with_rate_and_time_until_it_can_judge) {
  ProgressLine line(kStart, kGiB);
  EXPECT_EQ(line.update(kStart + 100ms, kGiB / 64, 80), "writing   1 %  16.0 MiB of 1.00 GiB");
}

TEST(progress_line, follows_a_disk_that_became_slow) {
  ProgressLine line(kStart, 100 * kGiB);
  std::uint64_t done = 0;
  for (int i = 1; i <= 10; ++i) line.update(kStart + i * 1s, done += kGiB, 80);
  std::string last;
  for (int i = 11; i <= 25; ++i) last = line.update(kStart + i * 1s, done += 1 << 20, 80);
  EXPECT_EQ(last.find("GiB/s"), std::string::npos) << last;
  EXPECT_NE(last.find("MiB/s"), std::string::npos) << last;
}

TEST(progress_line, a_stall_shows_no_time_left_for_ever) {
  ProgressLine line(kStart, kGiB);
  EXPECT_EQ(line.update(kStart + 2s, 0, 80), "writing   0 %  0 B of 1.00 GiB  0 B/s");
}

TEST(progress_line, long_times_in_minutes) {
  ProgressLine line(kStart, 1000 * kGiB);
  EXPECT_EQ(line.update(kStart + 1s, kGiB, 80),
            "writing   0 %  1.00 GiB of 0.98 TiB  1.00 GiB/s  16 min 39 s left");
}

TEST(progress_line, drops_from_the_right_what_does_not_fit) {
  for (unsigned columns = 0; columns < 60; ++columns) {
    ProgressLine line(kStart, kGiB);
    const std::string text = line.update(kStart + 1s, kGiB / 4, columns);
    EXPECT_TRUE(text.empty() || text.size() < columns) << columns;
  }
  ProgressLine line(kStart, kGiB);
  EXPECT_EQ(line.update(kStart + 1s, kGiB / 4, 40), "writing  25 %  256 MiB of 1.00 GiB");
}

TEST(progress_line, nothing_to_do_is_done) {
  ProgressLine line(kStart, 0);
  EXPECT_EQ(line.update(kStart, 0, 80), "writing 100 %  0 B of 0 B");
}

TEST(progress_line, redraw_wipes_the_rest_of_the_line) {
  EXPECT_EQ(redraw("abc"), "\rabc\x1b[K");
  EXPECT_EQ(redraw(""), "\r\x1b[K");
}

}  // namespace
}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cli/render/quantity.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

TEST(quantity, bytes_have_three_digits_and_a_unit) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1000), "0.98 KiB");
  EXPECT_EQ(size_text(1024), "1.00 KiB");
  EXPECT_EQ(size_text(10'234), "9.99 KiB");
  EXPECT_EQ(size_text(10'236), "10.0 KiB");
  EXPECT_EQ(size_text(12'902'400), "12.3 MiB");
  EXPECT_EQ(size_text(1'048'575), "1.00 MiB");
  EXPECT_EQ(size_text(345ull << 30), "345 GiB");
  EXPECT_EQ(size_text(~0ull), "16.0 EiB");
}

TEST(quantity, durations_choose_their_unit) {
  EXPECT_EQ(duration_text(0us), "0 us");
  EXPECT_EQ(duration_text(999us), "999 us");
  EXPECT_EQ(duration_text(1000us), "1.00 ms");
  EXPECT_EQ(duration_text(12'345us), "12.3 ms");
  EXPECT_EQ(duration_text(999'400us), "999 ms");
  EXPECT_EQ(duration_text(999'600us), "1.00 s");
  EXPECT_EQ(duration_text(59'900ms), "59.9 s");
  EXPECT_EQ(duration_text(60s), "1 min 00 s");
  EXPECT_EQ(duration_text(245s), "4 min 05 s");
  EXPECT_EQ(duration_text(7380s), "2 h 03 min");
}

TEST(quantity, counts_know_their_number) {
  EXPECT_EQ(count_text(1, "thread", "threads"), "1 thread");
  EXPECT_EQ(count_text(0, "thread", "threads"), "0 threads");
}

TEST(quantity, times_are_utc) {
  EXPECT_EQ(utc_text(1'795'330'025'999'999'999), "2026-11-22T06:47:05Z");
}

TEST(quantity, shell_words_are_one_word) {
  EXPECT_EQ(shell_word("/usr/bin/redis-server"), "/usr/bin/redis-server");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("-x"), "./-x");
  EXPECT_EQ(shell_word("-x y"), "./'-x y'");
  EXPECT_EQ(shell_word("$(x)"), "'$(x)'");
}

TEST(quantity, names_of_strangers_cannot_move_the_cursor) {
  EXPECT_EQ(printable("plain \xc3\xa9"), "plain \xc3\xa9");
  EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "1m"),
            "\\xc2\\x9b"
            "1m")
      << "the eight-bit CSI";
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
}

}  // namespace
}  // namespace doppel

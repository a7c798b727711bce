// SPDX-License-Identifier: Apache-2.0
//
// The scanner of /proc texts: what counts as a line, a word, a number, and what does not.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include <snapshot/linux/text_scan.h>

namespace doppel::text {
namespace {

TEST(TextScan, LinesEndAtNewlinesAndAtTheEnd) {
  std::string_view rest = "a\n\nb";
  std::string_view line;
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "a");
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "");
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "b");
  EXPECT_FALSE(next_line(rest, line));
}

TEST(TextScan, WordsSkipBlanksAndTabs) {
  std::string_view rest = " \tone  two\t";
  EXPECT_EQ(next_word(rest), "one");
  EXPECT_EQ(next_word(rest), "two");
  EXPECT_EQ(next_word(rest), "");
  EXPECT_EQ(next_word(rest), "");
}

TEST(TextScan, NumbersAreWholeOrNothing) {
  EXPECT_EQ(number<int>("-7"), -7);
  EXPECT_EQ(number<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(number<std::uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(number<std::uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(number<int>(""), std::nullopt);
  EXPECT_EQ(number<int>("7x"), std::nullopt);
  EXPECT_EQ(number<int>(" 7"), std::nullopt);
  EXPECT_EQ(hex("0xff"), 255u);
  EXPECT_EQ(hex("ff"), 255u);
  EXPECT_EQ(hex("0x"), std::nullopt);
}

TEST(TextScan, ValueOfWantsTheWholeKey) {
  constexpr std::string_view kText = "MemTotal:  10 kB\nMem: 1\nMemFree:\t5 kB\n";
  EXPECT_EQ(value_of(kText, "Mem"), "1");
  EXPECT_EQ(value_of(kText, "MemFree"), "5 kB");
  EXPECT_EQ(value_of(kText, "Free"), "");
  EXPECT_EQ(kilobytes(value_of(kText, "MemTotal")), 10240u);
  EXPECT_EQ(kilobytes(""), std::nullopt);
  EXPECT_EQ(kilobytes("18446744073709551615 kB"), UINT64_MAX);
}

TEST(TextScan, OctalIsUnescapedWhereTheKernelEscapes) {
  EXPECT_EQ(unescape_octal("a\\040b\\134c"), "a b\\c");
  EXPECT_EQ(unescape_octal("a\\040b\\012c", '\n'), "a\\040b\nc");
  EXPECT_EQ(unescape_octal("\\"), "\\");
  EXPECT_EQ(unescape_octal("\\04"), "\\04");
  EXPECT_EQ(unescape_octal("\\777\\089"), "\\777\\089");
}

}  // namespace
}  // namespace doppel::text

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <string>

#include <cli/suggestion.h>

namespace doppel {
namespace {

constexpr std::array<std::string_view, 4> kWords = {"capture", "doctor", "--level", "--json"};

TEST(suggestion, distance_counts_single_letter_slips) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("doctor", "doctor"), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("docter", "doctor"), 1u);
  EXPECT_EQ(edit_distance("dotcor", "doctor"), 1u) << "neighbours swapped are one slip";
  EXPECT_EQ(edit_distance("captre", "capture"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(suggestion, finds_the_near_word) {
  EXPECT_EQ(nearest("captrue", kWords), "capture");
  EXPECT_EQ(nearest("doc", kWords), "doctor") << "a beginning is near";
  EXPECT_EQ(nearest("--levle", kWords), "--level");
}

TEST(suggestion, stays_silent_when_nothing_is_near) {
  EXPECT_EQ(nearest("zebra", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest("x", kWords), "");
  EXPECT_EQ(nearest(std::string(100000, 'c'), kWords), "");
}

}  // namespace
}  // namespace doppel

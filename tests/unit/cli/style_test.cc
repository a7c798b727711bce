// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cli/render/style.h>

namespace doppel {
namespace {

TEST(style, colour_follows_option_then_environment_then_stream) {
  EXPECT_TRUE(choose_style(ColorChoice::automatic, true, nullptr, "xterm").color);
  EXPECT_FALSE(choose_style(ColorChoice::automatic, false, nullptr, "xterm").color);
  EXPECT_FALSE(choose_style(ColorChoice::automatic, true, "1", "xterm").color);
  EXPECT_TRUE(choose_style(ColorChoice::automatic, true, "", "xterm").color) << "empty is unset";
  EXPECT_FALSE(choose_style(ColorChoice::automatic, true, nullptr, "dumb").color);
  EXPECT_FALSE(choose_style(ColorChoice::automatic, true, nullptr, nullptr).color);
  EXPECT_TRUE(choose_style(ColorChoice::always, false, "1", "dumb").color);
  EXPECT_FALSE(choose_style(ColorChoice::never, true, nullptr, "xterm").color);
}

TEST(style, paints_only_when_asked) {
  EXPECT_EQ(Style{false}.red("x"), "x");
  EXPECT_EQ(Style{true}.red("x"), "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace doppel

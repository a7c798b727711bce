// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cli/output.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1ull << 20;

TEST(output, refuses_only_what_cannot_fit) {
  const SizeEstimate estimate = estimate_dump(1000 * kMiB, true);
  EXPECT_EQ(check_space(100 * kMiB, estimate, "d/x"), std::nullopt);
  const auto refusal = check_space(99 * kMiB, estimate, "d/x");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->exit, ExitCode::failed);
  EXPECT_EQ(to_line(*refusal),
            "no room for the dump in directory d (99.0 MiB free, a dump of this process takes 100 "
            "MiB to 750 MiB); the process was not touched; choose another place with -o");
  EXPECT_TRUE(check_space(0, estimate_dump(0, true), "d/x")) << "nothing free is never enough";
}

TEST(output, a_plain_dump_takes_what_the_memory_takes) {
  const SizeEstimate estimate = estimate_dump(1000 * kMiB, false);
  EXPECT_TRUE(check_space(899 * kMiB, estimate, "x"));
  EXPECT_FALSE(check_space(900 * kMiB, estimate, "x"));
}

TEST(output, remarks_on_what_may_not_fit) {
  const SizeEstimate estimate = estimate_dump(1000 * kMiB, true);
  EXPECT_EQ(space_remark(800 * kMiB, estimate), "");
  EXPECT_EQ(space_remark(200 * kMiB, estimate),
            "the dump may not fit: 200 MiB free, it may take up to 750 MiB");
}

TEST(output, never_writes_a_dump_to_a_terminal) {
  const auto output =
      open_output(Sys::real(), {.given = "-", .comm = "x", .pid = 1, .stdout_is_terminal = true});
  ASSERT_TRUE(std::holds_alternative<Message>(output));
  EXPECT_EQ(std::get<Message>(output).exit, ExitCode::usage);
  EXPECT_THAT(std::get<Message>(output).what, HasSubstr("terminal"));
}

}  // namespace
}  // namespace doppel

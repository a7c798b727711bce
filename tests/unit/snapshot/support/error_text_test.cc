// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

TEST(ErrorTextTest, StepSubjectAndTheSystemsReason) {
  EXPECT_EQ(error_text(fail_errno(EPERM, "attach to thread", "4711").error()),
            "attach to thread 4711: operation not permitted");
  EXPECT_EQ(error_text(fail_errno(ENOSPC, "write the dump").error()),
            "write the dump: no space left on device");
}

TEST(ErrorTextTest, AbbreviationsKeepTheirCapitals) {
  EXPECT_EQ(error_text(fail_errno(EDOTDOT, "call").error()), "call: RFS specific error");
  EXPECT_EQ(error_text(fail_errno(EIO, "read").error()), "read: input/output error");
}

TEST(ErrorTextTest, ReasonFromTheCodeWithoutErrno) {
  EXPECT_EQ(error_text(fail(Errc::malformed, "open dump", "x.core").error()),
            "open dump x.core: malformed");
  EXPECT_EQ(error_text(fail(Errc::cancelled, "").error()), "cancelled");
}

TEST(ErrorTextTest, AnErrnoNobodyKnowsIsStillSaid) {
  EXPECT_EQ(error_text(fail_errno(99999, "call").error()), "call: error 99999");
}

TEST(ErrorTextTest, EveryCodeHasItsOwnReason) {
  std::set<std::string_view> reasons;
  for (int code = 0; code <= static_cast<int>(Errc::cancelled); ++code) {
    const std::string_view reason = error_reason(static_cast<Errc>(code));
    EXPECT_FALSE(reason.empty());
    EXPECT_TRUE(reasons.insert(reason).second) << reason;
  }
}

}  // namespace
}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include <snapshot/support/result.h>

namespace doppel {
namespace {

Result<std::unique_ptr<int>> make(bool good) {
  if (!good) return fail(Errc::limit, "make", "it");
  return std::make_unique<int>(7);
}

Result<> check_only(bool good) {
  if (!good) return fail_errno(ENOSYS, "check");
  return {};
}

Result<int> pass_through(bool made, bool checked) {
  std::unique_ptr<int> value = DOPPEL_TRY(make(made));
  DOPPEL_TRY(check_only(checked));
  return *value;
}

TEST(ResultTest, TryYieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(*pass_through(true, true), 7);
  EXPECT_EQ(pass_through(false, true).error().code, Errc::limit);
  EXPECT_EQ(pass_through(false, true).error().subject, "it");
  EXPECT_EQ(pass_through(true, false).error().code, Errc::unsupported);
}

TEST(ResultTest, ErrnoDecidesTheCode) {
  const auto code = [](int os) { return fail_errno(os, "step").error().code; };
  EXPECT_EQ(code(ESRCH), Errc::gone);
  EXPECT_EQ(code(EPERM), Errc::denied);
  EXPECT_EQ(code(EACCES), Errc::denied);
  EXPECT_EQ(code(ENOSYS), Errc::unsupported);
  EXPECT_EQ(code(EOPNOTSUPP), Errc::unsupported);
  EXPECT_EQ(code(ENOSPC), Errc::os);
}

TEST(ResultTest, TheKernelsConventionIsChecked) {
  EXPECT_EQ(*check(0, "call"), 0);
  EXPECT_EQ(*check(42, "call"), 42);
  const Result<long> failed = check(-ESRCH, "call", "4711");
  EXPECT_EQ(failed.error().code, Errc::gone);
  EXPECT_EQ(failed.error().os, ESRCH);
  EXPECT_EQ(failed.error().subject, "4711");
}

TEST(ResultTest, AnErrorKnowsWhereItWasMade) {
  const Error error = fail(Errc::timeout, "wait").error();
  EXPECT_NE(std::string_view(error.file).find("result_test.cc"), std::string_view::npos);
  EXPECT_GT(error.line, 0u);
}

}  // namespace
}  // namespace doppel

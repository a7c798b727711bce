// SPDX-License-Identifier: Apache-2.0
//
// doppel convert as a user calls it: what it says, on which stream, with which exit code. (What
// the new dump holds: tests/interop/minidump.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <dumpwriter/job/write_job.h>
#include <dumpwriter/read/open_dump.h>
#include <tests/live/cli_run.h>
#include <tests/unit/dumpwriter/read/sample_dump.h>

namespace doppel::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Convert : public testing::Test {
 protected:
  /// The sample in that format, plain, its first `size` bytes.
  std::string dump(const char* format, std::size_t size = ~0ull) {
    Sample sample;
    sample.format = format;
    const auto bytes = sample.written({.compress = false});
    EXPECT_TRUE(bytes.has_value());
    return put_file(directory_, std::span(*bytes).first(std::min(size, bytes->size())));
  }

  TempDir directory_;
  const std::string to_ = directory_.file("new.dmp");
};

TEST_F(Convert, SaysWhereOnStdoutAndWhatOnStderr) {
  const Ran ran = run_doppel({"convert", dump("elf"), "-o", to_});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, to_ + "\n");
  EXPECT_THAT(ran.err, HasSubstr("to minidump: 3 threads, 4 mappings"));
  std::ifstream file(to_, std::ios::binary);
  char magic[4] = {};
  file.read(magic, 4);
  EXPECT_EQ(std::string(magic, 4), "MDMP");
  EXPECT_EQ(std::filesystem::status(to_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Convert, JsonIsOneObject) {
  const Ran ran = run_doppel({"convert", dump("minidump"), directory_.file("new.core"), "--json"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("{\"schema\":1,\"dump\":\""));
  EXPECT_THAT(ran.out, HasSubstr("\"format\":\"elf\",\"compressed\":true,\"threads\":3"));
  EXPECT_THAT(ran.out, HasSubstr("\"lost\":[]"));
  EXPECT_EQ(ran.err, "");
}

TEST_F(Convert, QuietSaysLossesOnly) {
  const Ran ran = run_doppel({"convert", dump("elf"), "-o", to_, "-q"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err.find("converted"), ran.err.npos);
}

TEST_F(Convert, ToStdout) {
  const std::string from = dump("elf");
  const Ran ran = run_doppel({"convert", from, "-o", "-", "--format", "minidump"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("MDMP"));
}

TEST_F(Convert, ADamagedDumpGivesWhatItHoldsAndThree) {
  for (const char* format : {"elf", "minidump"}) {
    SCOPED_TRACE(format);
    const std::string to = directory_.file(format);
    const Ran ran = run_doppel({"convert", dump(format, 700000), "-o", to, "--format", "elf"});
    EXPECT_EQ(ran.exit, 3);
    EXPECT_EQ(ran.out, to + "\n");
    EXPECT_THAT(ran.err, HasSubstr("the dump was cut"));
    const auto snapshot = open_dump(to);
    ASSERT_TRUE(snapshot.has_value());
    // Stacks come first in both formats.
    std::vector<std::byte> stack(0x4000);
    EXPECT_EQ(snapshot->memory->read({kStack}, stack).value_or(0), 0x4000u);
    std::vector<std::byte> heap(kMiB);
    const auto count = snapshot->memory->read({kHeap}, heap);
    ASSERT_TRUE(count.has_value());
    EXPECT_LT(*count, kMiB);
  }
}

TEST_F(Convert, WhatCannotBeReadIsNamed) {
  const Ran missing = run_doppel({"convert", directory_.file("none"), "-o", to_});
  EXPECT_EQ(missing.exit, 1);
  EXPECT_THAT(missing.err, HasSubstr("cannot read " + directory_.file("none")));
  EXPECT_THAT(missing.err, HasSubstr("no such file"));
  std::ofstream(directory_.file("text")) << "this is no dump, whatever its name says";
  const Ran text = run_doppel({"convert", directory_.file("text"), "-o", to_, "--json"});
  EXPECT_EQ(text.exit, 1);
  EXPECT_THAT(text.out, StartsWith("{\"schema\":1,\"error\":{\"exit\":1"));
  EXPECT_FALSE(std::filesystem::exists(to_));
}

TEST_F(Convert, NothingIsOverwritten) {
  std::ofstream(to_) << "mine";
  const Ran ran = run_doppel({"convert", dump("elf"), "-o", to_});
  EXPECT_EQ(ran.exit, 1);
  std::ifstream file(to_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "mine");
}

}  // namespace
}  // namespace doppel::test

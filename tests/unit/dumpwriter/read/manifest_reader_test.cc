// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include <dumpwriter/read/manifest_reader.h>

namespace doppel {
namespace {

// That a whole manifest comes back is the round trip's to show; here is what else may come.

TEST(ManifestReader, WhatIsNoManifestIsRefused) {
  for (const char* json : {"", "[]", "7", "{", "{\"schema\":2}", "{\"schema\":\"1\"}", "{}", "nul",
                           "{\"schema\":1}x", "\xff"}) {
    const Result<Manifest> manifest = read_manifest(json);
    ASSERT_FALSE(manifest) << json;
    EXPECT_EQ(manifest.error().code, Errc::malformed);
  }
}

TEST(ManifestReader, NestingIsBounded) {
  for (const std::size_t depth : {65u, 1000u, 10000000u}) {
    EXPECT_FALSE(read_manifest("{\"schema\":1,\"x\":" + std::string(depth, '[')));
    EXPECT_FALSE(read_handles(std::string(depth, '[') + std::string(depth, ']')));
  }
  EXPECT_TRUE(read_manifest("{\"schema\":1,\"x\":\"" + std::string(1000, '[') + "\\\"\"}"));
  std::string flat = "{\"schema\":1,\"x\":[";
  for (int i = 0; i < 1000; ++i) flat += "[],";
  EXPECT_TRUE(read_manifest(flat + "0]}"));
}

TEST(ManifestReader, MembersOfTheWrongKindAreSkipped) {
  const Result<Manifest> manifest = read_manifest(
      "{\"schema\":1,\"tool\":7,\"captured_at_ns\":5,\"timings\":[],\"process\":{\"pid\":\"x\","
      "\"arguments\":[1,{},null,\"a\"],\"state\":\"long\",\"flags\":\"0xzz\"},\"fault\":[],"
      "\"threads\":[1,{},\"x\"],\"regions\":[{\"address\":true,\"traits\":[1,\"sealed\"],"
      "\"backing\":\"new\",\"inode\":-1}],\"omissions\":{},\"verbatim\":[{\"bytes\":\"0\"}]}");
  ASSERT_TRUE(manifest);
  const ProcessImage& image = manifest->image;
  EXPECT_EQ(image.process.tool, "");
  EXPECT_EQ(image.process.pid, 0);
  EXPECT_EQ(image.process.arguments, (std::vector<std::string>{"", "", "", "a"}));
  EXPECT_EQ(image.threads.size(), 1u);
  EXPECT_EQ(manifest->own_fxsave.size(), 1u);
  ASSERT_EQ(image.regions.size(), 1u);
  EXPECT_TRUE(image.regions[0].traits.sealed);
  EXPECT_EQ(image.regions[0].backing, Backing::anonymous);
  EXPECT_FALSE(image.fault);
  EXPECT_EQ(image.verbatim.size(), 1u);
}

TEST(ManifestReader, NumbersMayBeLargeOrInHex) {
  const Result<std::vector<Handle>> handles = read_handles(
      "[{\"number\":18446744073709551615,\"flags\":\"0xffffffffffffffff\",\"position\":\"0x10\"}]");
  ASSERT_TRUE(handles);
  ASSERT_EQ(handles->size(), 1u);
  EXPECT_EQ((*handles)[0].number, ~0ull);
  EXPECT_EQ((*handles)[0].flags, ~0ull);
  EXPECT_EQ((*handles)[0].position, 16u);
}

TEST(ManifestReader, TheWritersReport) {
  const Result<WriterReport> report = read_writer_report(
      "{\"schema\":1,\"complete\":false,\"cut_short\":\"time\",\"zero_filled\":[{\"address\":"
      "\"0x7f00\",\"size\":4096,\"why\":\"unreadable\"}]}");
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->complete);
  EXPECT_EQ(report->cut_short, "time");
  ASSERT_EQ(report->zero_filled.size(), 1u);
  EXPECT_EQ(report->zero_filled[0].range, (AddressRange{{0x7f00}, 4096}));
  EXPECT_FALSE(read_writer_report("[]"));
}

}  // namespace
}  // namespace doppel

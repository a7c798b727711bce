// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cli/render/json.h>

namespace doppel {
namespace {

using nlohmann::json;

CaptureReport sample() {
  CaptureReport report;
  report.dump = "/var/tmp/a \"b\".core.zst";
  report.format = "elf";
  report.process.pid = 4711;
  report.process.comm = "redis-server";
  report.process.executable = "/usr/bin/redis-server";
  report.process.captured_at_ns = 1'795'330'025'000'000'000;
  report.process.engine = "clone";
  report.process.consistency = "instant";
  report.process.timings = {.pause_us = 12'300,
                            .running_pause_us = 11'900,
                            .predicted_pause_us = 14'000,
                            .clone_us = 11'000,
                            .injection_us = 40};
  report.threads = 17;
  report.regions = 345;
  report.memory_bytes = 1'100'000'000;
  report.dump_bytes = 222'000'000;
  report.write_ms = 3200;
  report.omissions = {{.what = "memory",
                       .range = {.begin = Address{0x7fff00000000}, .size = 65536},
                       .why = "unreadable",
                       .asked = false}};
  report.torn = {{.range = {.begin = Address{0x1000}, .size = 4096}, .why = "shared memory"}};
  report.notes = {"remark"};
  return report;
}

TEST(json, capture_has_the_keys_of_the_contract) {
  const json object = json::parse(capture_json(sample()));
  EXPECT_EQ(object.at("schema"), 1);
  EXPECT_EQ(object.at("dump"), "/var/tmp/a \"b\".core.zst");
  EXPECT_EQ(object.at("pid"), 4711);
  EXPECT_EQ(object.at("engine"), "clone");
  EXPECT_EQ(object.at("format"), "elf");
  EXPECT_EQ(object.at("pause_us"), 12'300);
  EXPECT_EQ(object.at("running_pause_us"), 11'900);
  EXPECT_EQ(object.at("predicted_pause_us"), 14'000);
  EXPECT_EQ(object.at("threads"), 17);
  EXPECT_EQ(object.at("regions"), 345);
  EXPECT_EQ(object.at("memory_bytes"), 1'100'000'000);
  EXPECT_EQ(object.at("dump_bytes"), 222'000'000);
  EXPECT_EQ(object.at("write_ms"), 3200);
  ASSERT_EQ(object.at("omissions").size(), 1u);
  const json& omission = object.at("omissions")[0];
  EXPECT_EQ(omission.at("what"), "memory");
  EXPECT_EQ(omission.at("address"), "0x7fff00000000");
  EXPECT_EQ(omission.at("size"), 65536);
  EXPECT_EQ(omission.at("why"), "unreadable");
  EXPECT_EQ(omission.at("asked"), false);
  EXPECT_EQ(object.at("cut_short"), nullptr);
  EXPECT_EQ(object.at("captured_at"), "2026-11-22T06:47:05Z");
  EXPECT_EQ(object.at("torn")[0].at("address"), "0x1000");
}

TEST(json, a_dump_that_was_cut_says_why) {
  CaptureReport report = sample();
  report.cut_short = "after 3 s";
  EXPECT_EQ(json::parse(capture_json(report)).at("cut_short"), "after 3 s");
}

TEST(json, is_one_line) {
  const std::string text = capture_json(sample());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(json, stays_valid_whatever_the_process_is_called) {
  CaptureReport report = sample();
  report.process.comm = std::string("a\0\x01\x1f\"\\\x7f\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80", 17);
  report.process.executable = "/\xf0\x9f\xa6\x8a\n";
  const json object = json::parse(capture_json(report));  // throws on bytes that are no UTF-8
  const std::string comm = object.at("comm");
  EXPECT_EQ(comm.substr(0, 7), std::string("a\0\x01\x1f\"\\\x7f", 7));
  EXPECT_NE(comm.find("\xef\xbf\xbd"), std::string::npos);
  EXPECT_EQ(object.at("executable"), "/\xf0\x9f\xa6\x8a\n");
}

TEST(json, errors_carry_exit_code_and_next_step) {
  const json object = json::parse(
      error_json({.exit = ExitCode::not_permitted, .what = "w", .why = "y", .next = "n"}));
  EXPECT_EQ(object.at("schema"), 1);
  EXPECT_EQ(object.at("error").at("exit"), 5);
  EXPECT_EQ(object.at("error").at("what"), "w");
  EXPECT_EQ(object.at("error").at("why"), "y");
  EXPECT_EQ(object.at("error").at("next"), "n");
}

}  // namespace
}  // namespace doppel

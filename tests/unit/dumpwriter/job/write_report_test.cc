// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/job/write_report.h>

namespace doppel {
namespace {

TEST(WriteReportJson, AWholeDump) {
  WriteReport report;
  report.core_bytes = 10;
  report.planned_bytes = 10;
  report.memory_bytes = 8;
  EXPECT_EQ(write_report_json(report),
            "{\"schema\":1,\"complete\":true,\"cut_short\":null,\"core_bytes\":10,"
            "\"planned_bytes\":10,\"memory_bytes\":8,\"zero_filled_pages\":0,\"zero_filled\":[]}");
}

TEST(WriteReportJson, ACutDumpWithGapsAndHostileText) {
  WriteReport report;
  report.cut_short = true;
  report.cut_reason = "a\"b\\c\n\xff";
  report.zero_filled = {{{{0x7f00}, 4096}, "unreadable"}, {{{~0ull}, 1}, "x"}};
  report.zero_filled_pages = 2;
  EXPECT_EQ(write_report_json(report),
            "{\"schema\":1,\"complete\":false,\"cut_short\":\"a\\\"b\\\\c\\u000a\\u00ff\","
            "\"core_bytes\":0,\"planned_bytes\":0,\"memory_bytes\":0,\"zero_filled_pages\":2,"
            "\"zero_filled\":[{\"address\":\"0x7f00\",\"size\":4096,\"why\":\"unreadable\"},"
            "{\"address\":\"0xffffffffffffffff\",\"size\":1,\"why\":\"x\"}]}");
}

}  // namespace
}  // namespace doppel

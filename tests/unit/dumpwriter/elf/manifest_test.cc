// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/elf/manifest.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::byte> bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

TEST(Manifest, HowTheDumpWasTaken) {
  ImageBuilder builder;
  ProcessInfo& process = builder.image().process;
  process.captured_at_ns = 1764041481123456789;
  process.timings = {.pause_us = 1,
                     .running_pause_us = 2,
                     .predicted_pause_us = 3,
                     .clone_us = 4,
                     .injection_us = 5};
  const std::string json = make_manifest(builder.build(), {});
  EXPECT_THAT(json, HasSubstr(R"({"schema":1,"tool":"doppel test","engine":"clone",)"
                              R"("consistency":"instant","kernel":"6.1.0",)"
                              R"("captured_at_ns":"1764041481123456789",)"
                              R"("timings":{"pause_us":1,"running_pause_us":2,)"
                              R"("predicted_pause_us":3,"clone_us":4,"injection_us":5})"));
  EXPECT_THAT(json, HasSubstr(R"("pid":4711,"parent":4700)"));
  EXPECT_THAT(json, HasSubstr(R"("namespace_pid":17,"namespace_parent":1)"));
  EXPECT_THAT(json, HasSubstr(R"("arguments":["server","--port","80"])"));
  EXPECT_THAT(json, HasSubstr(R"("coredump_filter":"0x33")"));
  EXPECT_THAT(json, HasSubstr(R"("fault":null)"));
}

TEST(Manifest, OmissionsOfImageAndSelection) {
  ImageBuilder builder;
  builder.image().omissions.push_back(
      {.what = "registers", .range = {}, .why = "did not stop in time", .asked = false});
  builder.image().torn.push_back({.range = range(0x5000, 0x1000), .why = "shared memory"});
  Selection selection;
  selection.omissions.push_back(
      {.what = "memory", .range = range(0x1000, 0x2000), .why = "MADV_DONTDUMP", .asked = true});
  EXPECT_THAT(
      make_manifest(builder.build(), selection),
      HasSubstr(
          R"("omissions":[{"what":"registers","address":"0x0","size":0,)"
          R"("why":"did not stop in time","asked":false},)"
          R"({"what":"memory","address":"0x1000","size":8192,"why":"MADV_DONTDUMP",)"
          R"("asked":true}],"torn":[{"address":"0x5000","size":4096,"why":"shared memory"}])"));
}

TEST(Manifest, Threads) {
  ImageBuilder builder;
  builder.thread(4711).thread(4712);
  Thread& thread = builder.image().threads[1];
  thread.name = "io \"\xff";
  thread.state = 'D';
  thread.nice = -3;
  thread.user_time_us = 10;
  thread.signals_blocked = 0x10;
  thread.siginfo = bytes("\x01\x02");
  thread.registers.complete = false;
  thread.registers.fxsave.clear();
  EXPECT_THAT(make_manifest(builder.build(), {}),
              HasSubstr(R"({"tid":4712,"namespace_tid":18,"name":"io \")"
                        "\xef\xbf\xbd"
                        R"(","name_bytes":"696f2022ff","state":"D","nice":-3,"user_time_us":10,)"
                        R"("system_time_us":0,"signals_pending":"0x0","signals_blocked":"0x10",)"
                        R"("siginfo":"0102","registers_complete":false,"fxsave":false}])"));
}

TEST(Manifest, RegionsWithTheirTraitsAndWhatWasDumped) {
  ImageBuilder builder;
  Region file = file_region(0x10000, 0x4000, "/lib/x.so", 0x3000);
  file.access.execute = true;
  file.deleted = true;
  file.resident = 4096;
  Region dropped = shared_region(0x20000, 0x1000);
  dropped.traits.dont_dump = dropped.traits.sealed = true;
  builder.region(file).region(dropped);
  Selection selection;
  for (const auto& [begin, size, content] : {std::tuple{0x10000, 0x1000, Content::bytes},
                                             {0x11000, 0x2000, Content::in_file},
                                             {0x13000, 0x1000, Content::bytes}}) {
    Segment segment;
    segment.range = range(begin, size);
    segment.content = content;
    selection.segments.push_back(segment);
  }
  EXPECT_THAT(
      make_manifest(builder.build(), selection),
      HasSubstr(R"("regions":[{"address":"0x10000","size":16384,"access":"r-x",)"
                R"("sharing":"private","backing":"file","traits":[],"path":"/lib/x.so",)"
                R"("deleted":true,"file_offset":"0x3000","inode":"0x2a","device_major":8,)"
                R"("device_minor":1,"resident":4096,"dumped":{"bytes":8192,"in_file":8192}},)"
                R"({"address":"0x20000","size":4096,"access":"rw-","sharing":"shared",)"
                R"("backing":"shared_memory","traits":["dont_dump","sealed"],)"
                R"("path":"/memfd:cache","deleted":true,"dumped":{}}])"));
}

TEST(Manifest, ModulesFaultAndVerbatim) {
  ImageBuilder builder;
  builder.image().modules.push_back(
      {.range = range(0x10000, 0x4000), .path = "/lib/x.so", .build_id = bytes("\x12\x34")});
  builder.image().fault = Fault{
      .thread = 4711, .number = 11, .code = -6, .address = Address{0x18}, .siginfo = bytes("\x0b")};
  builder.verbatim("limits", bytes("Max cpu time\n"))
      .verbatim("environ", bytes(std::string_view("A=1\0B=\xff\0", 8)))
      .verbatim("auxv", bytes("12345678"));
  const std::string json = make_manifest(builder.build(), {});
  EXPECT_THAT(json, HasSubstr(R"("modules":[{"address":"0x10000","size":16384,)"
                              R"("path":"/lib/x.so","build_id":"1234"}])"));
  EXPECT_THAT(json, HasSubstr(R"("fault":{"tid":4711,"number":11,"code":-6,"address":"0x18",)"
                              R"("siginfo":"0b"})"));
  EXPECT_THAT(json, HasSubstr(R"("verbatim":[{"name":"limits","text":"Max cpu time\n"},)"
                              R"({"name":"environ","bytes":"413d3100423dff00"}])"));
  EXPECT_THAT(json, Not(HasSubstr("auxv")));  // a note of its own
}

TEST(HandleList, DescribesEach) {
  EXPECT_EQ(make_handle_list({}), "[]");
  EXPECT_EQ(
      make_handle_list(
          {{.number = 3,
            .kind = "socket",
            .target = "tcp 127.0.0.1:80",
            .flags = 0x80802,
            .position = 0},
           {.number = 4, .kind = "file", .target = "/var/log/x", .flags = 1, .position = 4096}}),
      R"([{"number":3,"kind":"socket","target":"tcp 127.0.0.1:80","flags":"0x80802",)"
      R"("position":"0x0"},{"number":4,"kind":"file","target":"/var/log/x","flags":"0x1",)"
      R"("position":"0x1000"}])");
}

}  // namespace
}  // namespace doppel

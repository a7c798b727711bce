// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include <dumpwriter/elf/json_writer.h>

namespace doppel {
namespace {

std::string member(std::string_view value) {
  JsonWriter json;
  json.begin_object();
  json.text("k", value);
  json.end_object();
  return std::move(json).take();
}

TEST(JsonWriter, EveryKindOfValue) {
  JsonWriter json;
  json.begin_object();
  json.text("text", "a");
  json.number("number", ~0ull);
  json.signed_number("signed", -5);
  json.boolean("yes", true);
  json.boolean("no", false);
  json.null("nothing");
  json.hex("hex", 0xdeadbeef);
  json.hex("zero", 0);
  const std::array<std::byte, 2> bytes = {std::byte{0x0f}, std::byte{0xa0}};
  json.bytes("bytes", bytes);
  json.begin_array("array");
  json.text("x");
  json.begin_object();
  json.end_object();
  json.begin_array();
  json.end_array();
  json.text("y");
  json.end_array();
  json.begin_object("object");
  json.number("n", 1);
  json.end_object();
  json.number("last", 2);
  json.end_object();
  EXPECT_EQ(std::move(json).take(),
            R"({"text":"a","number":18446744073709551615,"signed":-5,"yes":true,"no":false,)"
            R"("nothing":null,"hex":"0xdeadbeef","zero":"0x0","bytes":"0fa0",)"
            R"("array":["x",{},[],"y"],"object":{"n":1},"last":2})");
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(member("a\"b\\c/d"), R"({"k":"a\"b\\c/d"})");
  EXPECT_EQ(member("\n\t\r\x01\x1f\x7f"), R"({"k":"\n\t\u000d\u0001\u001f\u007f"})");
  EXPECT_EQ(member(std::string_view("a\0b", 3)), R"({"k":"a\u0000b"})");
  EXPECT_EQ(member("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9a"),
            "{\"k\":\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9a\"}");
}

TEST(JsonWriter, BytesThatAreNoTextAreWrittenTwice) {
  EXPECT_EQ(member("a\xff"), "{\"k\":\"a\xef\xbf\xbd\",\"k_bytes\":\"61ff\"}");
  JsonWriter json;
  json.begin_array();
  json.text("a");
  json.text("\xc3");
  json.text("b");
  json.end_array();
  EXPECT_EQ(std::move(json).take(), "[\"a\",{\"text\":\"\xef\xbf\xbd\",\"bytes\":\"c3\"},\"b\"]");
}

TEST(JsonWriter, KnowsUtf8) {
  for (const std::string_view good :
       {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(std::string(bad));
  }
}

}  // namespace
}  // namespace doppel

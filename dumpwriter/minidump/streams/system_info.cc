// SPDX-License-Identifier: Apache-2.0
//
//   MINIDUMP_SYSTEM_INFO, 56 bytes: architecture, processors, version, platform, CSD string
//
// The version string of a Linux dump is what `uname -srm` prints, as far as the image knows it:
// Breakpad's tools show it. The processor's own words (cpuid) are no fact of the image: zeros.
#include <array>
#include <charconv>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

/// "6.1.0-13-amd64" as three numbers; 0 for those it does not have.
std::array<std::uint32_t, 3> version_numbers(std::string_view release) {
  std::array<std::uint32_t, 3> numbers{};
  const char* at = release.data();
  const char* const end = at + release.size();
  for (std::uint32_t& number : numbers) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || next == end || *next != '.') break;
    at = next + 1;
  }
  return numbers;
}

}  // namespace

void add_system_info(const Facts& facts, MinidumpBuilder& builder) {
  const WindowsProcess nt = facts.image.process.windows.value_or(WindowsProcess{});
  std::array<std::uint32_t, 3> version = {nt.major, nt.minor, nt.build};
  std::string text = nt.service_pack;
  if (!facts.windows()) {
    version = version_numbers(facts.image.process.kernel);
    text = "Linux " + facts.image.process.kernel + " x86_64";
  }
  const std::uint32_t text_rva = builder.put_string(text);
  RecordWriter body;
  body.u16(kArchitectureAmd64);
  body.u16(facts.windows() ? nt.processor_level : std::uint16_t{0});
  body.u16(facts.windows() ? nt.processor_revision : std::uint16_t{0});
  body.u8(nt.processors).u8(1);  // VER_NT_WORKSTATION
  body.u32(version[0]).u32(version[1]).u32(version[2]);
  body.u32(facts.windows() ? kPlatformWindows : kPlatformLinux).u32(text_rva);
  body.u16(0).u16(0).zeros(24);
  builder.add_stream(stream_type::kSystemInfo, body);
}

}  // namespace doppel::minidump

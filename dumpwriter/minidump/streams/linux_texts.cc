// SPDX-License-Identifier: Apache-2.0
//
// Files of /proc, as they are or made again from the image in the kernel's own form
// (fs/proc/task_mmu.c, show_map_vma; fs/proc/array.c, proc_pid_status): lldb takes regions and
// names from maps, and the process id from status where there is no MiscInfo.
//
// The environment is not among them: it would be a second copy of secrets that the stack has
// anyway. Nor is DSODebug: it lists what ModuleList lists.
#include <array>
#include <cstdio>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

const std::vector<std::byte>* find_verbatim(const ProcessImage& image, std::string_view name) {
  for (const Verbatim& each : image.verbatim) {
    if (each.name == name && !each.bytes.empty()) return &each.bytes;
  }
  return nullptr;
}

void add_text(std::uint32_t type, std::string_view text, MinidumpBuilder& builder) {
  if (text.empty()) return;
  RecordWriter body;
  body.text(text);
  builder.add_stream(type, body);
}

void add_verbatim(const Facts& facts, std::string_view name, std::uint32_t type,
                  MinidumpBuilder& builder) {
  const std::vector<std::byte>* const bytes = find_verbatim(facts.image, name);
  if (bytes == nullptr) return;
  RecordWriter body;
  body.raw(*bytes);
  builder.add_stream(type, body);
}

/// seq_path() writes a line feed as an octal escape.
std::string escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    if (c == '\n') {
      text += "\\012";
    } else {
      text += c;
    }
  }
  return text;
}

std::string maps_text(const std::vector<Region>& regions) {
  std::string text;
  for (const Region& region : regions) {
    std::array<char, 128> line;
    const int length = std::snprintf(
        line.data(), line.size(), "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
        static_cast<unsigned long long>(region.range.begin.value),
        static_cast<unsigned long long>(region.range.end()), region.access.read ? 'r' : '-',
        region.access.write ? 'w' : '-', region.access.execute ? 'x' : '-',
        region.sharing == Sharing::shared ? 's' : 'p',
        static_cast<unsigned long long>(region.file_offset), region.device_major,
        region.device_minor, static_cast<unsigned long long>(region.inode));
    std::string whole(line.data(), static_cast<std::size_t>(length));
    if (!region.path.empty()) {
      constexpr std::size_t kNameColumn = 73;
      if (whole.size() < kNameColumn) whole.resize(kNameColumn, ' ');
      whole += escaped(region.path);
      if (region.deleted) whole += " (deleted)";
    }
    text += whole + "\n";
  }
  return text;
}

std::string status_text(const Facts& facts) {
  const ProcessInfo& process = facts.image.process;
  const auto number = [](auto value) { return std::to_string(value); };
  std::string text = "Name:\t" + escaped(process.comm) + "\n";
  text += std::string("State:\t") + process.state + "\n";
  text += "Tgid:\t" + number(facts.process_id()) + "\n";
  text += "Pid:\t" + number(facts.process_id()) + "\n";
  text += "PPid:\t" + number(process.namespace_parent) + "\n";
  text += "TracerPid:\t0\n";
  const std::string uid = number(process.uid);
  const std::string gid = number(process.gid);
  text += "Uid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n";
  text += "Gid:\t" + gid + "\t" + gid + "\t" + gid + "\t" + gid + "\n";
  text += "Threads:\t" + number(facts.image.threads.size()) + "\n";
  return text;
}

}  // namespace

void add_linux_texts(const Facts& facts, MinidumpBuilder& builder) {
  if (facts.windows()) return;
  add_text(stream_type::kLinuxProcStatus, status_text(facts), builder);
  std::string arguments;
  for (const std::string& argument : facts.image.process.arguments) {
    arguments.append(argument).push_back('\0');
  }
  add_text(stream_type::kLinuxCmdLine, arguments, builder);
  add_verbatim(facts, "auxv", stream_type::kLinuxAuxv, builder);
  add_text(stream_type::kLinuxMaps, maps_text(facts.image.regions), builder);
  add_verbatim(facts, "limits", stream_type::kMozLinuxLimits, builder);
}

}  // namespace doppel::minidump

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dumpwriter/read/elf_core_reader.h>
#include <dumpwriter/read/file_memory.h>
#include <dumpwriter/read/minidump_file.h>
#include <dumpwriter/read/minidump_memory.h>
#include <dumpwriter/read/minidump_reader.h>
#include <dumpwriter/read/minidump_streams.h>
#include <snapshot/model/image_check.h>

namespace doppel {

namespace {

// Our own streams; docs/formats/minidump.md.
constexpr std::uint32_t kManifest = 0x44504c01;
constexpr std::uint32_t kHandles = 0x44504c02;
constexpr std::uint32_t kRegisters = 0x44504c03;
constexpr std::uint32_t kXsaveLayout = 0x44504c04;
constexpr std::uint32_t kZeroRanges = 0x44504c05;

constexpr std::uint64_t kPage = 4096;

std::string to_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What CONTEXT has no place for, put back. `by_id` finds threads by the id of the dump.
void read_registers(std::span<const std::byte> stream,
                    const std::unordered_map<std::int32_t, Thread*>& by_id) {
  StreamCursor cursor(stream);
  const auto count = cursor.take<std::uint32_t>();
  constexpr std::size_t kEntry = 8 + sizeof(X86_64Registers) + 16;
  for (std::uint32_t i = 0; i < count && cursor.has(kEntry); ++i) {
    const auto found = by_id.find(static_cast<std::int32_t>(cursor.take<std::uint32_t>()));
    const auto flags = cursor.take<std::uint32_t>();
    const auto general = cursor.take<X86_64Registers>();
    const auto shadow_stack = cursor.take<std::uint64_t>();
    const auto xsave_size = cursor.take<std::uint32_t>();
    const auto bitmap_size = cursor.take<std::uint32_t>();
    const auto xsave = cursor.take_bytes(xsave_size);
    const auto bitmap = cursor.take_bytes(bitmap_size);
    if (found == by_id.end()) continue;
    CpuContext& registers = found->second->registers;
    registers.general = general;
    registers.xsave.assign(xsave.begin(), xsave.end());
    registers.io_bitmap.assign(bitmap.begin(), bitmap.end());
    if ((flags & 1) == 0) registers.fxsave.clear();
    if ((flags & 2) != 0) registers.shadow_stack_pointer = shadow_stack;
  }
}

std::int32_t dump_id(const ProcessImage& image, const Thread& thread) {
  return image.process.windows ? thread.id : thread.namespace_id;
}

/// Registers, and what the manifest does not have: all that is NT's.
void complete(ProcessImage& image, ProcessImage& streams) {
  image.process.windows = std::move(streams.process.windows);
  std::unordered_map<std::int32_t, Thread*> threads;
  for (Thread& thread : streams.threads) threads.emplace(thread.id, &thread);
  for (Thread& thread : image.threads) {
    const auto found = threads.find(dump_id(image, thread));
    if (found == threads.end()) {
      image.omissions.push_back({.what = "registers of " + std::to_string(thread.id),
                                 .range = {},
                                 .why = "not in the dump",
                                 .asked = false});
      continue;
    }
    const bool complete = thread.registers.complete;
    thread.registers = found->second->registers;
    thread.registers.complete = complete;
    thread.windows = found->second->windows;
  }
  std::unordered_map<std::uint64_t, Region*> regions;
  for (Region& region : streams.regions) regions.emplace(region.range.begin.value, &region);
  std::unordered_map<std::uint64_t, Module*> modules;
  for (Module& module : streams.modules) modules.emplace(module.range.begin.value, &module);
  std::unordered_map<std::uint64_t, Handle*> handles;
  for (Handle& handle : streams.handles) handles.emplace(handle.number, &handle);
  if (image.process.windows) {
    for (Region& region : image.regions) {
      const auto found = regions.find(region.range.begin.value);
      if (found != regions.end()) region.windows = found->second->windows;
    }
    for (Module& module : image.modules) {
      const auto found = modules.find(module.range.begin.value);
      if (found != modules.end()) module.windows = found->second->windows;
    }
    for (Handle& handle : image.handles) {
      const auto found = handles.find(handle.number);
      if (found != handles.end()) handle.windows = found->second->windows;
    }
  }
  if (image.fault && streams.fault) {
    image.fault->parameters = std::move(streams.fault->parameters);
    image.fault->registers = std::move(streams.fault->registers);
  }
}

void add_verbatim(ProcessImage& image, const char* name, std::vector<std::byte> bytes) {
  if (!bytes.empty()) image.verbatim.push_back({.name = name, .bytes = std::move(bytes)});
}

Result<ProcessImage> make_image(MinidumpFile& file) {
  ProcessImage streams = DOPPEL_TRY(read_minidump_image(file));
  std::vector<std::byte> text = file.stream(kManifest);
  if (text.empty()) return streams;
  Result<Manifest> manifest = read_manifest(to_text(text));
  // Regions that contradict each other are worse than those of the streams.
  if (!manifest || !check_image(manifest->image)) {
    streams.omissions.push_back(
        {.what = "manifest", .range = {}, .why = "damaged", .asked = false});
    add_verbatim(streams, kManifestText, std::move(text));
    return streams;
  }
  ProcessImage image = std::move(manifest->image);
  if (Result<std::vector<Handle>> handles = read_handles(to_text(file.stream(kHandles)))) {
    image.handles = std::move(*handles);
  }
  complete(image, streams);
  std::unordered_map<std::int32_t, Thread*> threads;
  for (Thread& thread : image.threads) threads.emplace(dump_id(image, thread), &thread);
  read_registers(file.stream(kRegisters), threads);
  for (Verbatim& each : streams.verbatim) {
    if (each.name == "auxv") add_verbatim(image, "auxv", std::move(each.bytes));
  }
  add_verbatim(image, "xsave_layout", file.stream(kXsaveLayout));
  add_verbatim(image, kManifestText, std::move(text));
  return image;
}

/// Sorts, and joins what overlaps or touches.
std::vector<AddressRange> joined(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<AddressRange> result;
  for (const AddressRange& range : ranges) {
    if (!result.empty()) {
      AddressRange& last = result.back();
      const std::uint64_t distance = range.begin.value - last.begin.value;
      if (distance <= last.size) {
        last.size = std::max(last.size, distance + range.size);
        continue;
      }
    }
    result.push_back(range);
  }
  return result;
}

/// Within the file, whole pages of it at a cut; what lies beyond becomes an omission.
std::vector<Stretch> held(const std::vector<Stretch>& claimed, std::uint64_t size,
                          ProcessImage& image) {
  std::vector<Stretch> stretches;
  std::vector<AddressRange> lost;  // stacks stand in up to three lists
  for (const Stretch& each : claimed) {
    const std::uint64_t room = each.offset < size ? size - each.offset : 0;
    const std::uint64_t there = each.range.size <= room ? each.range.size : room / kPage * kPage;
    if (there > 0) stretches.push_back({{each.range.begin, there}, each.kind, each.offset});
    if (there < each.range.size) {
      lost.push_back({{each.range.begin.value + there}, each.range.size - there});
    }
  }
  for (const AddressRange& range : joined(std::move(lost))) {
    image.omissions.push_back(
        {.what = "memory", .range = range, .why = "the dump was cut", .asked = false});
  }
  return stretches;
}

void add_zero_ranges(std::span<const std::byte> stream, std::vector<Stretch>& stretches) {
  StreamCursor cursor(stream);
  const auto count = cursor.take<std::uint64_t>();
  for (std::uint64_t i = 0; i < count && cursor.has(16); ++i) {
    const auto begin = cursor.take<std::uint64_t>();
    const auto size = cursor.take<std::uint64_t>();
    stretches.push_back({{{begin}, size}, Extent::Kind::untouched, 0});
  }
}

}  // namespace

Result<Snapshot> read_minidump(std::shared_ptr<const ByteSource> source,
                               const std::optional<WriterReport>& report) {
  MinidumpFile file = DOPPEL_TRY(MinidumpFile::open(source));
  Snapshot snapshot;
  snapshot.image = DOPPEL_TRY(make_image(file));
  ProcessImage& image = snapshot.image;
  if (file.cut()) {
    image.omissions.push_back(
        {.what = "streams", .range = {}, .why = "the dump was cut or is damaged", .asked = false});
  }
  std::vector<Stretch> stretches = held(read_minidump_memory(file), file.size(), image);
  add_zero_ranges(file.stream(kZeroRanges), stretches);
  if (file.exhausted()) {
    return fail(Errc::limit, "read minidump: its records ask for more than it holds");
  }
  auto memory = std::make_unique<FileMemory>(std::move(source), std::move(stretches));
  if (report) {
    for (const Omission& filled : report->zero_filled) {
      memory->forget(filled.range);
      image.omissions.push_back(filled);
    }
  }
  snapshot.memory = std::move(memory);
  return snapshot;
}

}  // namespace doppel

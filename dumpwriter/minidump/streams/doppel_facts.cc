// SPDX-License-Identifier: Apache-2.0
//
// With these the image can be rebuilt whole, and a conversion to an ELF core and back loses
// nothing. docs/formats/minidump.md is the contract.
//
//   manifest     the JSON of our ELF cores, likewise the handles
//   registers    u32 n, n * { u32 id, u32 flags, 27 * u64 user_regs_struct, u64 shadow stack
//                pointer, u32 size of the XSAVE area, u32 of the I/O bitmap, their bytes }
//                flags: 1 an FXSAVE area of its own, 2 a shadow stack
//   xsave layout as the kernel gives it
//   zero ranges  u64 n, n * { u64 start, u64 size }: never touched; zero, and not in the file
#include <cstring>

#include <dumpwriter/elf/manifest.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

void add_registers(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter body;
  body.u32(static_cast<std::uint32_t>(facts.image.threads.size()));
  for (const Thread& thread : facts.image.threads) {
    const CpuContext& registers = thread.registers;
    const bool shadow = registers.shadow_stack_pointer.has_value();
    body.u32(facts.thread_id(thread));
    body.u32((registers.fxsave.empty() ? 0u : 1u) | (shadow ? 2u : 0u));
    body.raw(std::as_bytes(std::span(&registers.general, 1)));
    body.u64(registers.shadow_stack_pointer.value_or(0));
    body.u32(static_cast<std::uint32_t>(registers.xsave.size()));
    body.u32(static_cast<std::uint32_t>(registers.io_bitmap.size()));
    body.raw(registers.xsave).raw(registers.io_bitmap);
  }
  builder.add_stream(stream_type::kRegisters, body);
}

void add_zero_ranges(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter entries;
  std::uint64_t count = 0;
  for (const Segment& segment : facts.selection.segments) {
    if (segment.content != Content::zero) continue;
    entries.u64(segment.range.begin.value).u64(segment.range.size);
    ++count;
  }
  if (count == 0) return;
  RecordWriter body;
  body.u64(count).raw(entries.bytes());
  builder.add_stream(stream_type::kZeroRanges, body);
}

}  // namespace

void add_doppel_facts(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter manifest;
  manifest.text(make_manifest(facts.image, facts.selection));
  builder.add_stream(stream_type::kManifest, manifest);
  RecordWriter handles;
  handles.text(make_handle_list(facts.image.handles));
  builder.add_stream(stream_type::kHandles, handles);
  if (!facts.windows()) add_registers(facts, builder);
  for (const Verbatim& each : facts.image.verbatim) {
    if (each.name != "xsave_layout" || each.bytes.empty()) continue;
    RecordWriter layout;
    layout.raw(each.bytes);
    builder.add_stream(stream_type::kXsaveLayout, layout);
    break;
  }
  add_zero_ranges(facts, builder);
}

}  // namespace doppel::minidump

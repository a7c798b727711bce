// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include <dumpwriter/minidump/builder.h>
#include <dumpwriter/minidump/minidump_format.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>
#include <dumpwriter/plan/layout.h>
#include <dumpwriter/plan/selection_check.h>
#include <snapshot/model/image_check.h>

namespace doppel {

namespace {

using namespace minidump;

/// Stands in the file in this order. Everything but memory before the lists of memory.
constexpr void (*kStreams[])(const Facts&, MinidumpBuilder&) = {
    add_system_info,      add_misc_info,        add_exception,     add_thread_list,
    add_thread_names,     add_thread_info_list, add_module_list,   add_linux_texts,
    add_memory_info_list, add_handle_data,      add_comment,       add_soft_errors,
    add_doppel_facts,     add_memory_list,      add_memory64_list,
};

std::uint64_t byte_count(const Selection& selection) {
  std::uint64_t sum = 0;
  for (const Segment& segment : selection.segments) {
    if (segment.content == Content::bytes) sum += segment.range.size;
  }
  return sum;
}

std::uint64_t flags_of(const ProcessImage& image) {
  using namespace header_flag;
  std::uint64_t flags = kFullMemory | kFullMemoryInfo | kIgnoreInaccessible;
  if (!image.handles.empty()) flags |= kHandleData;
  if (image.process.windows) flags |= kThreadInfo;
  return flags;
}

}  // namespace

Result<DumpPlan> MinidumpFormat::plan(const ProcessImage& image, const Selection& selection) const {
  DOPPEL_TRY(check_image(image));
  DOPPEL_TRY(check_selection(image, selection));
  const bool by_address =
      image.process.windows.has_value() && byte_count(selection) <= MinidumpBuilder::kMemoryReach;
  const MemoryLayout memory(selection, by_address);
  const Facts facts{.image = image, .selection = selection, .memory = memory};
  MinidumpBuilder builder;
  for (const auto add : kStreams) add(facts, builder);
  // The instant of the snapshot, not of writing.
  const auto time = static_cast<std::uint32_t>(image.process.captured_at_ns / 1'000'000'000);
  std::vector<std::byte> head = DOPPEL_TRY(std::move(builder).finish(time, flags_of(image)));

  Layout layout;
  layout.append(std::move(head));
  for (const Placed& place : memory.placed()) {
    for (const Extent& piece : place.pieces) {
      if (piece.kind == Extent::Kind::data) {
        layout.append_memory(piece.range);
      } else {
        layout.append_zeros(piece.range.size);
      }
    }
  }
  return std::move(layout).seal();
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <dumpwriter/read/elf_core_reader.h>
#include <dumpwriter/read/file_source.h>
#include <dumpwriter/read/frame_index.h>
#include <dumpwriter/read/minidump_file.h>
#include <dumpwriter/read/minidump_reader.h>
#include <dumpwriter/read/open_dump.h>
#include <dumpwriter/read/zstd_source.h>

namespace doppel {

namespace {

Result<Snapshot> read(std::shared_ptr<const ByteSource> source,
                      const std::optional<WriterReport>& report = std::nullopt) {
  if (looks_like_minidump(*source)) return read_minidump(std::move(source), report);
  return read_elf_core(std::move(source), report);
}

constexpr std::uint32_t kMaxReport = 16 << 20;

/// The last report in the file, or an empty text.
std::vector<std::byte> report_text(const ByteSource& file, const FrameIndex& index) {
  for (auto each = index.attachments.rbegin(); each != index.attachments.rend(); ++each) {
    if (each->magic != kReportMagic || each->size > kMaxReport) continue;
    std::vector<std::byte> text(each->size);
    if (file.read_all(each->offset, text)) return text;
  }
  return {};
}

}  // namespace

Result<Snapshot> open_dump(const std::string& path, Sys& sys) {
  std::unique_ptr<ByteSource> file = DOPPEL_TRY(FileSource::open(path, sys));
  if (!looks_like_zstd(*file)) return read(std::move(file));

  FrameIndex index = DOPPEL_TRY(index_frames(*file));
  std::vector<std::byte> text = report_text(*file, index);
  std::optional<WriterReport> report;
  if (!text.empty()) {
    Result<WriterReport> said =
        read_writer_report({reinterpret_cast<const char*>(text.data()), text.size()});
    if (said) report = std::move(*said);
  }
  const auto source = std::make_shared<const ZstdSource>(std::move(file), std::move(index));
  Snapshot snapshot = DOPPEL_TRY(read(source, report));
  if (!text.empty()) {
    snapshot.image.verbatim.push_back({.name = kWriteReportText, .bytes = std::move(text)});
  }
  return snapshot;
}

}  // namespace doppel

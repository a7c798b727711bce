// SPDX-License-Identifier: Apache-2.0
//
// What stands behind views: the pages of a pagefile section, of a data file or of an image - the
// prototype entries, one for each page, shared by all sections of one file. It knows neither
// section objects nor address spaces.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_SEGMENT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_SEGMENT_H_

#include <cstdint>
#include <map>
#include <utility>

#include <snapshot/executive/io/file_node.h>
#include <snapshot/executive/mm/page_set.h>
#include <snapshot/executive/mm/pe_image.h>
#include <snapshot/executive/mm/physical_memory.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

enum class SegmentKind : std::uint8_t { data, pagefile, image };

/// Not thread-safe. Gives its pages and its commit back when it goes. `node` outlives it: sections
/// hold the file object.
class NtSegment {
 public:
  /// `size` in bytes; of a data segment it is not used, the file's own size counts.
  NtSegment(PhysicalMemory& memory, SegmentKind kind, std::uint64_t size, FileNode* node)
      : memory_(&memory), kind_(kind), size_(size), node_(node) {}

  NtSegment(PhysicalMemory& memory, PeImage image, FileNode& node)
      : memory_(&memory),
        kind_(SegmentKind::image),
        size_(image.size),
        node_(&node),
        image_(std::move(image)) {}

  NtSegment(const NtSegment&) = delete;
  NtSegment& operator=(const NtSegment&) = delete;
  ~NtSegment();

  SegmentKind kind() const { return kind_; }

  /// Bytes; of a data segment the file's own size now.
  std::uint64_t size() const { return kind_ == SegmentKind::data ? node_->bytes.size() : size_; }

  /// Null for a pagefile segment.
  FileNode* node() const { return node_; }

  /// Of an image segment.
  const PeImage& image() const { return image_; }

  PhysicalMemory& memory() const { return *memory_; }

  /// The page `index`, up to date with its file; kNoFrame with its cause in `cause` on failure
  /// (NO_MEMORY, IN_PAGE_ERROR, END_OF_FILE). The segment keeps its own reference.
  Frame page(std::uint64_t index, NtStatus& cause);
  /// Present or kNoFrame; never reads.
  Frame present(std::uint64_t index) const;
  /// To be called after a reference to the page was given back: one that nobody else has, and that
  /// can be read again, is freed. What stands in memory is then what is mapped, and no history.
  void trim(std::uint64_t index);
  /// Brings what was written into the page back into the file; nothing for other kinds.
  void written(std::uint64_t index);

  /// Pages of a pagefile segment are committed one by one, all others always are.
  bool committed(std::uint64_t index) const {
    return kind_ != SegmentKind::pagefile || committed_.contains(index);
  }

  /// The first page after `index` where committed() may change; ~0 for none.
  std::uint64_t commit_change_after(std::uint64_t index) const {
    return kind_ != SegmentKind::pagefile ? ~std::uint64_t{0} : committed_.change_after(index);
  }

  /// Pages of [first, first + count) that would have to be charged.
  std::uint64_t uncommitted(std::uint64_t first, std::uint64_t count) const {
    return kind_ != SegmentKind::pagefile ? 0 : count - committed_.count(first, count);
  }

  /// Charged by the caller, returned by the segment.
  void commit(std::uint64_t first, std::uint64_t count);

  std::uint64_t charge() const { return charge_; }

  /// Pages present, by index.
  const std::map<std::uint64_t, Frame>& pages() const { return pages_; }

 private:
  PhysicalMemory* memory_;
  SegmentKind kind_;
  std::uint64_t size_, charge_ = 0;
  FileNode* node_;
  PeImage image_;
  std::map<std::uint64_t, Frame> pages_;
  PageSet committed_;  ///< pagefile only
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_SEGMENT_H_

// SPDX-License-Identifier: Apache-2.0
//
// Section objects: a right and a size over a segment, and the file object that it was made of -
// held by a pointer, never by a handle, which is why a mapped file can be reopened by others.
// It knows neither handles nor address spaces; NtCreateSection's references of handles are the
// caller's.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_SECTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_SECTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <snapshot/executive/mm/segment.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

class Section final : public Object {
 public:
  /// `file` keeps the segment's node alive; empty for a pagefile section.
  Section(Counters& counters, std::shared_ptr<NtSegment> segment, std::uint64_t size,
          std::uint32_t protect, std::uint32_t attributes, ObjectRef<Object> file);

  NtSegment& segment() const { return *segment_; }

  /// Bytes: of an image its pages, of a file as many as the section was made for.
  std::uint64_t size() const { return size_; }

  /// PAGE_ value that it was created with.
  std::uint32_t protect() const { return protect_; }

  /// SEC_ value that it was created with.
  std::uint32_t attributes() const { return attributes_; }

  bool is_image() const { return segment_->kind() == SegmentKind::image; }

  /// Only of an image section.
  const PeImage& image() const { return segment_->image(); }

  /// Null for a pagefile section.
  FileNode* node() const { return segment_->node(); }

  const ObjectRef<Object>& file() const { return file_; }

 private:
  ~Section() override;

  ObjectRef<Object> file_;  ///< goes last: the segment uses its node
  std::shared_ptr<NtSegment> segment_;
  std::uint64_t size_;
  std::uint32_t protect_, attributes_;
};

/// What NtCreateSection asks for, the handles already resolved.
struct SectionRequest {
  std::uint64_t size = 0;  ///< bytes; 0: the file's
  std::uint32_t protect = 0;
  std::uint32_t attributes = 0;  ///< one of sec::
  FileNode* node = nullptr;      ///< null: pagefile
  ObjectRef<Object> file = {};   ///< the File object that owns `node`
};

/// Makes sections. One data and one image segment for each file node, as long as anybody uses it.
/// Not thread-safe; `memory` and `counters` outlive it and its sections.
class SectionFactory {
 public:
  SectionFactory(PhysicalMemory& memory, Counters& counters)
      : memory_(&memory), counters_(&counters) {}

  /// The checks of NtCreateSection that precede the reference of the file handle, in their order:
  /// INVALID_PARAMETER_6, INVALID_PAGE_PROTECTION, INVALID_PARAMETER_4.
  static NtStatus check(std::uint64_t size, std::uint32_t protect, std::uint32_t attributes,
                        bool has_file);
  /// The rest of NtCreateSection, after check(): INVALID_FILE_FOR_SECTION, MAPPED_FILE_SIZE_ZERO,
  /// SECTION_TOO_BIG, DISK_FULL, INVALID_IMAGE_NOT_MZ, INVALID_IMAGE_FORMAT, COMMITMENT_LIMIT,
  /// INSUFFICIENT_RESOURCES. A writable section larger than its file extends the file. On failure
  /// nothing has changed.
  NtStatus create(const SectionRequest& request, ObjectRef<Section>& section);

  /// Segments alive, in the order of their creation; for the invariants.
  std::vector<std::shared_ptr<NtSegment>> alive() const;

 private:
  NtStatus create_pagefile(const SectionRequest& request, ObjectRef<Section>& section);
  NtStatus create_image(const SectionRequest& request, ObjectRef<Section>& section);
  NtStatus create_data(const SectionRequest& request, ObjectRef<Section>& section);
  void remember(const std::shared_ptr<NtSegment>& segment);
  std::shared_ptr<NtSegment> find(SegmentKind kind, const FileNode* node) const;

  PhysicalMemory* memory_;
  Counters* counters_;
  std::vector<std::weak_ptr<NtSegment>> segments_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_SECTION_H_

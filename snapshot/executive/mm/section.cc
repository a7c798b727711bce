// SPDX-License-Identifier: Apache-2.0
//
// Creation of sections: check everything, ask the fault points, charge, and only then make things.
#include <bit>
#include <utility>

#include <snapshot/executive/mm/page_protection.h>
#include <snapshot/executive/mm/section.h>

namespace doppel {
namespace {

/// Of what one section may promise: the user's half of the address space.
constexpr std::uint64_t kMaximumSize = kUserEnd - kUserBegin;

std::uint64_t page_up(std::uint64_t bytes) {
  return (bytes + kNtPageSize - 1) & ~(kNtPageSize - 1);
}

}  // namespace

Section::Section(Counters& counters, std::shared_ptr<NtSegment> segment, std::uint64_t size,
                 std::uint32_t protect, std::uint32_t attributes, ObjectRef<Object> file)
    : Object(ObjectType::section, counters),
      file_(std::move(file)),
      segment_(std::move(segment)),
      size_(size),
      protect_(protect),
      attributes_(attributes) {
  if (is_image()) ++node()->use.image;
}

Section::~Section() {
  if (is_image()) --node()->use.image;
}

NtStatus SectionFactory::check(std::uint64_t size, std::uint32_t protect, std::uint32_t attributes,
                               bool has_file) {
  constexpr std::uint32_t known = sec::image | sec::reserve | sec::commit;
  if ((attributes & ~known) != 0 || std::popcount(attributes & known) != 1)
    return status::invalid_parameter_6;
  if (!valid_protection(protect) || (protect & (page::guard | page::noaccess)) != 0)
    return status::invalid_page_protection;
  if (!has_file && size == 0) return status::invalid_parameter_4;
  return status::success;
}

NtStatus SectionFactory::create(const SectionRequest& request, ObjectRef<Section>& section) {
  if (request.node == nullptr) return create_pagefile(request, section);
  if (request.node->directory) return status::invalid_file_for_section;
  if (request.attributes == sec::image) return create_image(request, section);
  return create_data(request, section);
}

NtStatus SectionFactory::create_pagefile(const SectionRequest& request,
                                         ObjectRef<Section>& section) {
  if (request.attributes == sec::image) return status::invalid_file_for_section;
  if (request.size > kMaximumSize) return status::section_too_big;
  const std::uint64_t size = page_up(request.size);
  const std::uint64_t charged =
      request.attributes == sec::commit ? size / kNtPageSize : std::uint64_t{0};
  if (memory_->plan().fault(FaultSite::object_alloc)) return status::insufficient_resources;
  if (!memory_->charge(charged)) return status::commitment_limit;
  auto segment = std::make_shared<NtSegment>(*memory_, SegmentKind::pagefile, size, nullptr);
  segment->commit(0, charged);
  remember(segment);
  section = ObjectRef<Section>(
      new Section(*counters_, segment, size, request.protect, request.attributes, {}));
  return status::success;
}

NtStatus SectionFactory::create_image(const SectionRequest& request, ObjectRef<Section>& section) {
  std::shared_ptr<NtSegment> segment = find(SegmentKind::image, request.node);
  if (!segment) {
    if (request.node->bytes.empty()) return status::invalid_image_not_mz;
    if (memory_->plan().fault(FaultSite::image_parse)) return status::invalid_image_format;
    PeImage image;
    const NtStatus parsed = parse_pe_image(request.node->bytes, image);
    if (!parsed.succeeded()) return parsed;
    segment = std::make_shared<NtSegment>(*memory_, std::move(image), *request.node);
  }
  if (request.size > segment->size()) return status::section_too_big;
  if (memory_->plan().fault(FaultSite::object_alloc)) return status::insufficient_resources;
  remember(segment);
  section = ObjectRef<Section>(new Section(*counters_, segment, segment->size(), request.protect,
                                           request.attributes, request.file));
  return status::success;
}

NtStatus SectionFactory::create_data(const SectionRequest& request, ObjectRef<Section>& section) {
  FileNode& node = *request.node;
  const bool extends = request.size > node.bytes.size();
  if (request.size == 0 && node.bytes.empty()) return status::mapped_file_size_zero;
  if (extends && (!is_shared_write(request.protect) || request.size > kMaximumSize))
    return status::section_too_big;
  // A file of the model is in the host's memory: no larger than all its pages may be.
  if (extends && request.size / kNtPageSize >= memory_->commit_limit()) return status::disk_full;
  if (memory_->plan().fault(FaultSite::object_alloc)) return status::insufficient_resources;
  if (extends && memory_->plan().fault(FaultSite::file_write)) return status::disk_full;
  if (extends) node.bytes.resize(request.size);
  std::shared_ptr<NtSegment> segment = find(SegmentKind::data, &node);
  if (!segment) segment = std::make_shared<NtSegment>(*memory_, SegmentKind::data, 0, &node);
  remember(segment);
  const std::uint64_t size = request.size != 0 ? request.size : node.bytes.size();
  section = ObjectRef<Section>(
      new Section(*counters_, segment, size, request.protect, request.attributes, request.file));
  return status::success;
}

void SectionFactory::remember(const std::shared_ptr<NtSegment>& segment) {
  std::erase_if(segments_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : segments_)
    if (weak.lock() == segment) return;
  segments_.push_back(segment);
}

std::shared_ptr<NtSegment> SectionFactory::find(SegmentKind kind, const FileNode* node) const {
  for (const auto& weak : segments_)
    if (auto segment = weak.lock(); segment && segment->kind() == kind && segment->node() == node)
      return segment;
  return nullptr;
}

std::vector<std::shared_ptr<NtSegment>> SectionFactory::alive() const {
  std::vector<std::shared_ptr<NtSegment>> result;
  for (const auto& weak : segments_)
    if (auto segment = weak.lock()) result.push_back(std::move(segment));
  return result;
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
//
// A dump of another tool may hold half a page (Breakpad writes a stack from the byte that its
// pointer names). Formats of whole pages can take it only with zeros beside it; where those stand
// is remembered, so that it can be said.
#ifndef DOPPEL_DUMPWRITER_PLAN_WHOLE_PAGES_H_
#define DOPPEL_DUMPWRITER_PLAN_WHOLE_PAGES_H_

#include <memory>
#include <vector>

#include <snapshot/model/memory.h>
#include <snapshot/model/region.h>

namespace doppel {

class WholePages final : public Memory {
 public:
  /// Surveys `regions` (sorted, disjoint, whole pages) of `inner`. A region whose survey fails is
  /// left as it is.
  WholePages(std::unique_ptr<const Memory> inner, const std::vector<Region>& regions);

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override;
  Result<std::vector<Extent>> survey(AddressRange within) const override;

  /// Where zeros stand for bytes that nobody has, by address.
  const std::vector<AddressRange>& filled() const { return filled_; }

 private:
  std::unique_ptr<const Memory> inner_;
  std::vector<AddressRange> filled_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_WHOLE_PAGES_H_

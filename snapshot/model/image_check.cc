// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include <snapshot/model/image_check.h>

namespace doppel {

Result<> check_image(const ProcessImage& image) {
  std::uint64_t last = 0;  // last byte of the region before
  bool first = true;
  for (const Region& region : image.regions) {
    const std::uint64_t begin = region.range.begin.value;
    const std::uint64_t size = region.range.size;
    if (size == 0) return fail(Errc::malformed, "check regions: empty", std::to_string(begin));
    if (!first && begin <= last) {
      return fail(Errc::malformed, "check regions: order", std::to_string(begin));
    }
    // A range may end at 2^64 exactly, where end() wraps to 0.
    if (begin + (size - 1) < begin) {
      return fail(Errc::malformed, "check regions: wrap", std::to_string(begin));
    }
    last = begin + (size - 1);
    first = false;
  }
  if (image.threads.empty()) return fail(Errc::malformed, "check threads: none");
  std::set<std::int32_t> seen;
  for (const Thread& thread : image.threads) {
    if (!seen.insert(thread.id).second) {
      return fail(Errc::malformed, "check threads: id twice", std::to_string(thread.id));
    }
  }
  return {};
}

}  // namespace doppel

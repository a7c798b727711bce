// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/syscall.h>

#include <snapshot/support/mapping.h>

namespace doppel {

Result<Mapping> Mapping::anonymous(Sys& sys, std::size_t size, bool reserve) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (reserve ? 0 : MAP_NORESERVE);
  return create(sys, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

Result<Mapping> Mapping::file(Sys& sys, int fd, std::size_t size, std::uint64_t offset) {
  return create(sys, size, PROT_READ, MAP_PRIVATE, fd, offset);
}

Result<Mapping> Mapping::create(Sys& sys, std::size_t size, int protection, int flags, int fd,
                                std::uint64_t offset) {
  const long at = DOPPEL_TRY(check(sys.invoke(SYS_mmap, 0, static_cast<long>(size), protection,
                                              flags, fd, static_cast<long>(offset)),
                                   "map memory", std::to_string(size)));
  return Mapping(std::span(reinterpret_cast<std::byte*>(at), size));
}

void Mapping::reset() {
  // Not through Sys: giving back what is ours cannot be made to fail, as with UniqueFd.
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  bytes_ = {};
}

}  // namespace doppel

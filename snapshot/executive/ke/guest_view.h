// SPDX-License-Identifier: Apache-2.0
//
// The memory of one thread as the guest processor sees it: an address space, and the TEB that lets
// the thread's own stack grow. It only translates between the two interfaces.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_GUEST_VIEW_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_GUEST_VIEW_H_

#include <snapshot/executive/cpu/guest_memory.h>
#include <snapshot/executive/mm/address_space.h>

namespace doppel {

class GuestView final : public GuestMemory {
 public:
  GuestView(AddressSpace& space, std::uint64_t teb) : space_(space), teb_(teb) {}

  bool fetch(std::uint64_t address, CodePage& page, GuestException& exception) override {
    ExecutablePage found;
    PageFault fault;
    if (!space_.fetch(address, found, fault, teb_)) return raise(fault, exception);
    page = {.bytes = found.bytes, .frame = found.frame, .version = found.version};
    return true;
  }

  bool read(std::uint64_t address, void* bytes, std::uint32_t size,
            GuestException& exception) override {
    PageFault fault;
    return space_.load(address, {static_cast<std::byte*>(bytes), size}, fault, teb_) ||
           raise(fault, exception);
  }

  bool read_for_write(std::uint64_t address, void* bytes, std::uint32_t size,
                      GuestException& exception) override {
    PageFault fault;
    return space_.load_for_store(address, {static_cast<std::byte*>(bytes), size}, fault, teb_) ||
           raise(fault, exception);
  }

  bool write(std::uint64_t address, const void* bytes, std::uint32_t size,
             GuestException& exception) override {
    PageFault fault;
    return space_.store(address, {static_cast<const std::byte*>(bytes), size}, fault, teb_) ||
           raise(fault, exception);
  }

 private:
  static bool raise(const PageFault& fault, GuestException& exception) {
    exception = {.code = fault.status.value,
                 .parameter_count = fault.parameter_count,
                 .parameters = fault.parameters};
    return false;
  }

  AddressSpace& space_;
  std::uint64_t teb_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_GUEST_VIEW_H_

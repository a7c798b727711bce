// SPDX-License-Identifier: Apache-2.0
//
// The port for bytes over a process of the executive: a clone (it ends with its memory), or, for
// the weaker engine, the running process itself. Reads are NtReadVirtualMemory through a handle; no
// read changes the process, guard pages included.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NT_MEMORY_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NT_MEMORY_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <snapshot/executive/capture/native_queries.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/model/memory.h>

namespace doppel {

/// What an executive and those who read from it on other threads share. The executive itself is
/// single-threaded: whoever steps or calls it while a snapshot is read elsewhere holds `lock`.
struct ExecutiveAccess {
  std::mutex lock;
  /// Runs after each piece of at most 64 KiB that was read, with the lock held: tests let the
  /// original run on here.
  std::function<void()> on_read;
};

class NtMemory final : public Memory {
 public:
  enum class Holds { clone, original };

  /// Takes the handle of `nt`'s process over; of a clone it ends the process too. `nt` outlives it.
  NtMemory(NtApi& nt, OwnedHandle process, Holds holds, std::shared_ptr<ExecutiveAccess> access)
      : nt_(nt), process_(std::move(process)), holds_(holds), access_(std::move(access)) {}

  ~NtMemory() override;

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override;
  Result<std::vector<Extent>> survey(AddressRange within) const override;

  /// Bytes of an earlier instant, that stand before what the process holds. Before the first read.
  void keep(Address at, std::vector<std::byte> bytes) { kept_[at.value] = std::move(bytes); }

  HandleValue process() const { return process_.get(); }

 private:
  /// Bytes from `from` on that may be read without harm, 0 for none.
  std::uint64_t readable(std::uint64_t from) const;
  bool harmless(const MemoryInformation& information) const;

  NtApi& nt_;
  OwnedHandle process_;
  Holds holds_;
  std::shared_ptr<ExecutiveAccess> access_;
  std::map<std::uint64_t, std::vector<std::byte>> kept_;
  mutable MemoryInformation known_;  ///< of a clone: a readable run; under the lock
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NT_MEMORY_H_

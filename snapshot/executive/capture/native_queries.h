// SPDX-License-Identifier: Apache-2.0
//
// Answers of NtQuery... as values, for those outside the executive who look at a process: the
// snapshot back end and its memory. All goes through handles and the rights that they carry.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NATIVE_QUERIES_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NATIVE_QUERIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/nt_records.h>

namespace doppel {

/// Closes a handle of the caller's when it goes.
class OwnedHandle {
 public:
  OwnedHandle() = default;

  OwnedHandle(NtApi& nt, HandleValue value) : nt_(&nt), value_(value) {}

  OwnedHandle(OwnedHandle&& other) noexcept
      : nt_(other.nt_), value_(std::exchange(other.value_, 0)) {}

  OwnedHandle& operator=(OwnedHandle&& other) noexcept {
    std::swap(nt_, other.nt_);
    std::swap(value_, other.value_);
    return *this;
  }

  ~OwnedHandle() {
    if (value_ != 0) std::ignore = nt_->close(value_);
  }

  HandleValue get() const { return value_; }

 private:
  NtApi* nt_ = nullptr;
  HandleValue value_ = 0;
};

/// Nothing where the address is no user's or the process is gone.
std::optional<MemoryInformation> query_memory(NtApi& nt, HandleValue process,
                                              std::uint64_t address);

/// Every run of committed or reserved memory, by address.
std::vector<MemoryInformation> memory_map(NtApi& nt, HandleValue process);

/// Nothing on failure.
std::optional<WorkingSetInformation> query_working_set(NtApi& nt, HandleValue process,
                                                       std::uint64_t address);

/// The file behind a view, as the name space knows it; "" where there is none.
std::string mapped_file_name(NtApi& nt, HandleValue process, std::uint64_t address);

/// A query of a process or thread whose answer has one size; nothing on failure.
template <typename T>
std::optional<T> query_process(NtApi& nt, HandleValue process, std::uint32_t information_class) {
  T value;
  std::uint32_t length = 0;
  const NtStatus done = nt.query_information_process(
      process, information_class, std::as_writable_bytes(std::span(&value, 1)), length);
  return done.succeeded() ? std::optional<T>(value) : std::nullopt;
}

template <typename T>
std::optional<T> query_thread(NtApi& nt, HandleValue thread, std::uint32_t information_class) {
  T value;
  std::uint32_t length = 0;
  const NtStatus done = nt.query_information_thread(
      thread, information_class, std::as_writable_bytes(std::span(&value, 1)), length);
  return done.succeeded() ? std::optional<T>(value) : std::nullopt;
}

/// UNICODE_STRING answers; "" on failure.
std::string image_file_name(NtApi& nt, HandleValue process);
std::string thread_name(NtApi& nt, HandleValue thread);

/// Class 51: data about the handles of a process. The status of the query.
NtStatus query_handles(NtApi& nt, HandleValue process, std::vector<HandleInformation>& handles);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_NATIVE_QUERIES_H_

// SPDX-License-Identifier: Apache-2.0
//
// Owner of one file descriptor. Closed when dropped; never duplicated silently.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_UNIQUE_FD_H_
#define DOPPEL_SNAPSHOT_SUPPORT_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace doppel {

class UniqueFd {
 public:
  UniqueFd() = default;

  /// Takes ownership of `fd`; a negative value owns nothing.
  explicit UniqueFd(int fd) : fd_(fd) {}

  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }

  ~UniqueFd() { reset(); }

  int get() const { return fd_; }

  explicit operator bool() const { return fd_ >= 0; }

  int release() { return std::exchange(fd_, -1); }

  void reset(int fd = -1) {
    // close() never needs a second try on Linux: the descriptor is gone even when it says EINTR.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_UNIQUE_FD_H_

// SPDX-License-Identifier: Apache-2.0
//
// The one error idiom of the project. A failure is a value that cannot be dropped silently: Result
// is
// [[nodiscard]], so forgetting to look at it does not compile (-Werror=unused-result). An Error
// says what failed in data - a code to branch on, the step, the thing, errno - and no prose:
// sentences are made in cli/.
//
// House rule: DOPPEL_TRY stands alone, as the whole right-hand side of a declaration or assignment,
// or as a whole statement. Inside braces an early return leaks the members already built (GCC 12
// and Clang alike).
#ifndef DOPPEL_SNAPSHOT_SUPPORT_RESULT_H_
#define DOPPEL_SNAPSHOT_SUPPORT_RESULT_H_

#include <expected>
#include <source_location>
#include <string>
#include <utility>

namespace doppel {

/// What kind of failure this is; the caller branches on it.
enum class Errc {
  os,           ///< a system call failed; Error::os holds errno
  gone,         ///< the process or thread exited, or never existed
  denied,       ///< not permitted
  timeout,      ///< a bound on waiting was reached
  unmapped,     ///< the address is not readable
  malformed,    ///< bytes that do not follow their format
  unsupported,  ///< the kernel, the file system or this build cannot do it
  limit,        ///< a limit that the caller set, or a sane bound, would be exceeded
  cancelled,    ///< the caller asked to stop
};

struct Error {
  Errc code = Errc::os;
  int os = 0;             ///< errno, or 0 when the failure is not the system's
  const char* step = "";  ///< what was being done, a literal: "attach to thread"
  std::string subject;    ///< the thing it was done to: "4711", a path
  const char* file = "";  ///< where in our source
  unsigned line = 0;
};

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

/// Builds the failure that a function returns. `os` is an errno value (positive).
[[nodiscard]] inline std::unexpected<Error> fail(
    Errc code, const char* step, std::string subject = {}, int os = 0,
    std::source_location at = std::source_location::current()) {
  return std::unexpected<Error>(Error{.code = code,
                                      .os = os,
                                      .step = step,
                                      .subject = std::move(subject),
                                      .file = at.file_name(),
                                      .line = at.line()});
}

/// Maps an errno value (positive) to a failure: ESRCH is `gone`, EPERM and EACCES are `denied`,
/// ENOSYS and EOPNOTSUPP are `unsupported`, the rest is `os`.
[[nodiscard]] std::unexpected<Error> fail_errno(
    int os, const char* step, std::string subject = {},
    std::source_location at = std::source_location::current());

/// Passes an Error on, as DOPPEL_TRY does.
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

/// Turns the kernel's convention (negative errno) into a Result; a value >= 0 is passed through.
[[nodiscard]] inline Result<long> check(long value, const char* step, std::string subject = {},
                                        std::source_location at = std::source_location::current()) {
  if (value < 0) return fail_errno(static_cast<int>(-value), step, std::move(subject), at);
  return value;
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
  return std::move(*result);
}

inline void take(Result<void>&&) {}
}  // namespace detail

}  // namespace doppel

#define DOPPEL_TRY(expression)                                                     \
  ({                                                                               \
    auto doppel_result_ = (expression);                                            \
    if (!doppel_result_) return ::doppel::fail(std::move(doppel_result_.error())); \
    ::doppel::detail::take(std::move(doppel_result_));                             \
  })

#endif  // DOPPEL_SNAPSHOT_SUPPORT_RESULT_H_

// SPDX-License-Identifier: Apache-2.0
//
// What a sanitizer changes that a test must know.
#ifndef DOPPEL_TESTS_SUPPORT_SANITIZER_H_
#define DOPPEL_TESTS_SUPPORT_SANITIZER_H_

#include <cstddef>

namespace doppel {

#if defined(__SANITIZE_THREAD__)
constexpr std::size_t kSanitizerThreads = 1;  ///< of its own in every process, forked ones included
#else
constexpr std::size_t kSanitizerThreads = 0;
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  ///< doppel is several times slower
#else
constexpr bool kSanitized = false;
#endif

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_SANITIZER_H_

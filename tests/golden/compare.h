// SPDX-License-Identifier: Apache-2.0
//
// Compares what a program said with a file of this folder. DOPPEL_UPDATE_GOLDEN=1 in the
// environment writes the file instead.
#ifndef DOPPEL_TESTS_GOLDEN_COMPARE_H_
#define DOPPEL_TESTS_GOLDEN_COMPARE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace doppel {

inline void compare(const std::string& name, const std::string& said) {
  const std::string path = std::string(DOPPEL_GOLDEN_DIR) + "/" + name;
  if (std::getenv("DOPPEL_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << said;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(said, expected) << name;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_GOLDEN_COMPARE_H_

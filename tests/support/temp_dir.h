// SPDX-License-Identifier: Apache-2.0
//
// A directory that goes away with its owner.
#ifndef DOPPEL_TESTS_SUPPORT_TEMP_DIR_H_
#define DOPPEL_TESTS_SUPPORT_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace doppel {

class TempDir {
 public:
  /// Aborts when no directory can be made: no test can go on without.
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "doppel-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  std::string file(const char* name) const { return (path_ / name).string(); }

  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_TEMP_DIR_H_

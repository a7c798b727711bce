// SPDX-License-Identifier: Apache-2.0
//
// A directory that goes away with the test, and the names in it.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SCRATCH_DIR_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SCRATCH_DIR_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace doppel::test {

class ScratchDir {
 public:
  /// `in_memory`: on a tmpfs where there is one, for tests that write much.
  explicit ScratchDir(bool in_memory = false) {
    std::filesystem::path parent = std::filesystem::temp_directory_path();
    if (in_memory && std::filesystem::is_directory("/dev/shm")) parent = "/dev/shm";
    std::string pattern = (parent / "doppel-sink-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }

  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  const std::string& path() const { return path_; }

  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      all.insert(entry.path().filename().string());
    }
    return all;
  }

  std::string text(const std::string& name) const {
    std::ifstream file(path_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SCRATCH_DIR_H_

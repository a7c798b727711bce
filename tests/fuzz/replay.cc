// SPDX-License-Identifier: Apache-2.0
//
// A fuzzer's main() without a fuzzer: feeds it every file of the folders and files named, in every
// build. No file at all is a failure: the corpus must be there.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void feed(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  // On standard error, so that a crash says which file it was.
  std::fprintf(stderr, "%s: %zu bytes\n", path.c_str(), bytes.size());
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int count, char** words) {
  int files = 0;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(words[i])) {
      feed(words[i]);
      ++files;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(words[i])) {
      if (!entry.is_regular_file()) continue;
      feed(entry.path());
      ++files;
    }
  }
  std::fprintf(stderr, "%d files\n", files);
  return files > 0 ? 0 : 1;
}

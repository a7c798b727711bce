// SPDX-License-Identifier: Apache-2.0
//
// A second pair of eyes on a core: headers and notes read in the plainest way, sharing nothing with
// the code that wrote them. For well-formed files only: what is wrong makes a test throw.
#ifndef DOPPEL_TESTS_SUPPORT_CORE_VIEW_H_
#define DOPPEL_TESTS_SUPPORT_CORE_VIEW_H_

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace doppel {

struct NoteView {
  std::string owner;
  std::uint32_t type = 0;
  std::span<const std::byte> descriptor;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(descriptor.data()), descriptor.size()};
  }
};

template <class T>
T read_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) {
    throw std::out_of_range("read past the end");
  }
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

inline std::vector<NoteView> parse_notes(std::span<const std::byte> bytes) {
  std::vector<NoteView> notes;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto header = read_at<Elf64_Nhdr>(bytes, at);
    at += sizeof header;
    const auto name = bytes.subspan(at, header.n_namesz);
    at += (header.n_namesz + 3u) / 4 * 4;
    const auto descriptor = bytes.subspan(at, header.n_descsz);
    at += (header.n_descsz + 3u) / 4 * 4;
    notes.push_back({.owner = {reinterpret_cast<const char*>(name.data()), name.size() - 1},
                     .type = header.n_type,
                     .descriptor = descriptor});
  }
  return notes;
}

class CoreView {
 public:
  /// Keeps a reference to `file`.
  explicit CoreView(std::span<const std::byte> file) : file_(file) {
    header = read_at<Elf64_Ehdr>(file, 0);
    std::uint64_t count = header.e_phnum;
    if (header.e_phnum == PN_XNUM) count = read_at<Elf64_Shdr>(file, header.e_shoff).sh_info;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto each = read_at<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
      if (each.p_type == PT_LOAD) loads.push_back(each);
      if (each.p_type == PT_NOTE && each.p_filesz > 0) {
        for (NoteView& note : parse_notes(file.subspan(each.p_offset, each.p_filesz))) {
          notes.push_back(std::move(note));
        }
      }
    }
  }

  /// The bytes of a segment in the file.
  std::span<const std::byte> bytes(const Elf64_Phdr& load) const {
    return file_.subspan(load.p_offset, load.p_filesz);
  }

  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> loads;
  std::vector<NoteView> notes;

 private:
  std::span<const std::byte> file_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_CORE_VIEW_H_

// SPDX-License-Identifier: Apache-2.0
//
// What the notes of a core say, whoever wrote it: the system's structs (include/linux/elfcore.h for
// x86-64) turned into the model's values. Bytes in, values out; a note of the wrong size is left
// aside. What only our own cores know comes from the manifest (manifest_reader.h).
#ifndef DOPPEL_DUMPWRITER_READ_CORE_NOTES_H_
#define DOPPEL_DUMPWRITER_READ_CORE_NOTES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/model/process_image.h>

namespace doppel {

/// A row of NT_FILE.
struct FileMapping {
  AddressRange range;
  std::uint64_t file_offset = 0;  ///< bytes
  std::string path;               ///< as written, " (deleted)" included
};

/// Takes notes one by one, in the file's order: register sets belong to the NT_PRSTATUS before
/// them. Not thread-safe.
class CoreNotes {
 public:
  void take(std::string_view owner, std::uint32_t type, std::span<const std::byte> bytes);

  /// In the notes' order; ids are those of the target's own pid namespace.
  std::vector<Thread> threads;
  ProcessInfo process;  ///< what NT_PRPSINFO and the first NT_PRSTATUS hold
  std::vector<FileMapping> files;
  std::vector<std::byte> auxv;
  std::vector<std::byte> xsave_layout;
  std::vector<std::byte> siginfo;  ///< of the first thread
  std::int32_t signal = 0;         ///< of the first thread; 0: none
  std::string manifest;            ///< JSON, empty in a core that is not ours
  std::string handles;             ///< JSON

 private:
  void take_core(std::uint32_t type, std::span<const std::byte> bytes);
  void take_linux(std::uint32_t type, std::span<const std::byte> bytes);
  void take_prstatus(std::span<const std::byte> bytes);
  void take_prpsinfo(std::span<const std::byte> bytes);
  void take_files(std::span<const std::byte> bytes);
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_CORE_NOTES_H_

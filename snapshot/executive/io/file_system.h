// SPDX-License-Identifier: Apache-2.0
//
// The volume: one flat directory of files in memory, names compared without case. It opens and
// removes; what a handle may do is the native calls' business, and mapped pages are mm's.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_SYSTEM_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/io/file_lock.h>
#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/se/token.h>

namespace doppel {

/// CreateDisposition of NtCreateFile.
enum class FileDisposition : std::uint32_t {
  supersede = 0,
  open = 1,
  create = 2,
  open_if = 3,
  overwrite = 4,
  overwrite_if = 5,
};

namespace file_option {
inline constexpr std::uint32_t delete_on_close = 0x1000, directory = 0x1, non_directory = 0x40;
}

/// What became of an open: IO_STATUS_BLOCK.Information.
enum class FileOpened : std::uint64_t { superseded = 0, opened = 1, created = 2, overwritten = 3 };

struct FileOpenRequest {
  std::string name;  ///< behind the volume
  AccessMask desired = 0;
  std::uint32_t share = 0;
  FileDisposition disposition = FileDisposition::open;
  std::uint32_t options = 0;
  const TokenData* token = nullptr;
  CallerMode mode = CallerMode::user;
  bool labels = true;                               ///< see AccessRequest
  std::optional<SecurityDescriptor> security = {};  ///< of a new file; absent: its owner's
};

struct FileOpenResult {
  ObjectRef<FileObject> file;
  AccessMask granted = 0;
  FileOpened opened = FileOpened::opened;
};

/// The volume in the name space: a path leads to it, and the rest of the path is a file's name.
class Volume final : public Object {
 public:
  explicit Volume(Counters& counters) : Object(ObjectType::device, counters) {}

 private:
  ~Volume() override = default;
};

class FileSystem {
 public:
  /// Holds `capacity` bytes of file data.
  FileSystem(std::uint64_t capacity, FaultPlan& faults, Counters& counters);

  /// NtCreateFile behind the name space, in its order of checks: OBJECT_NAME_NOT_FOUND,
  /// DELETE_PENDING, OBJECT_NAME_COLLISION, ACCESS_DENIED, SHARING_VIOLATION, CANNOT_DELETE,
  /// USER_MAPPED_FILE, INVALID_PARAMETER. An empty name is the volume's own directory.
  NtStatus open(const FileOpenRequest& request, FileOpenResult& result);

  /// Whole or not at all: DISK_FULL.
  NtStatus write(FileNode& node, std::uint64_t offset, std::span<const std::byte> bytes);
  /// DISK_FULL; what is new reads as zero.
  NtStatus resize(FileNode& node, std::uint64_t size);

  /// Puts a file there without any handle, as an installation does. An existing one is replaced.
  FileNode& install(std::string name, std::span<const std::byte> bytes, std::uint8_t signer = 0);
  /// Nothing for a name that is not there.
  std::shared_ptr<FileNode> find(std::string_view name) const;

  const std::map<std::string, std::shared_ptr<FileNode>>& nodes() const { return nodes_; }

  std::uint64_t used() const;

  /// Called when locks of a file may have gone, for those who wait for one.
  std::function<void(const FileNode&)> on_unlock;

  /// The last handle of `file` is gone: its locks, its share counts, and what it was to delete. For
  /// FileObject.
  void cleanup(FileObject& file);

 private:
  NtStatus check_open(const FileOpenRequest& request, FileNode& node, FileOpenResult& result);
  NtStatus create_node(const FileOpenRequest& request, FileOpenResult& result,
                       std::shared_ptr<FileNode>& node);
  bool fits(const FileNode& node, std::uint64_t size) const;

  std::uint64_t capacity_;
  FaultPlan& faults_;
  Counters& counters_;
  std::shared_ptr<FileNode> directory_;                     ///< the volume's own
  std::map<std::string, std::shared_ptr<FileNode>> nodes_;  ///< by folded name
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_SYSTEM_H_

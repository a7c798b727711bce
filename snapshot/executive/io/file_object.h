// SPDX-License-Identifier: Apache-2.0
//
// A file object: one open of a file, shared by all handles that come of it. Its closing procedure
// is where sharing, locks and deletion end - with the last handle, not with the last reference,
// which a section may hold much longer.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_OBJECT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_OBJECT_H_

#include <cstdint>
#include <memory>

#include <snapshot/executive/io/file_node.h>
#include <snapshot/executive/io/share_access.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

class FileSystem;

class FileObject final : public Object {
 public:
  FileObject(FileSystem& system, std::shared_ptr<FileNode> file, OpenMode open_mode,
             Counters& counters);

  FileSystem& files;
  const std::shared_ptr<FileNode> node;
  const OpenMode mode;
  std::uint64_t position = 0;  ///< bytes
  bool delete_on_close = false;
  bool lock_used = false;  ///< a lock was ever asked for through it
  bool cleaned = false;    ///< its last handle is gone

  void closing(const HandleClose& close) override;

 private:
  ~FileObject() override;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_OBJECT_H_

// SPDX-License-Identifier: Apache-2.0
//
// What a close of a handle does to a file: IopCloseFile of ReactOS and IRP_MJ_CLEANUP of the driver
// documentation, which is "handle count zero" and not "no reference left".
#include <utility>

#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/io/file_system.h>

namespace doppel {

FileObject::FileObject(FileSystem& system, std::shared_ptr<FileNode> file, OpenMode open_mode,
                       Counters& counters)
    : Object(ObjectType::file, counters), files(system), node(std::move(file)), mode(open_mode) {
  node->share.add(mode);
  ++node->opens;
}

FileObject::~FileObject() {
  if (!cleaned) files.cleanup(*this);  // made, but never given a handle
}

void FileObject::closing(const HandleClose& close) {
  if (close.system_handles == 1) {
    files.cleanup(*this);
  } else if (close.process_handles == 1 && lock_used) {
    if (release_locks(node->locks, this, close.process, counters()) && files.on_unlock)
      files.on_unlock(*node);
  }
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
//
// Native calls on files.
#include <cstring>

#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/query_result.h>

namespace doppel {
namespace {

enum FileClass : std::uint32_t { standard = 5, disposition = 13, position = 14, end_of_file = 20 };

/// [offset, offset + length) has an end.
bool valid_range(std::uint64_t offset, std::uint64_t length) {
  return length == 0 || offset + (length - 1) >= offset;
}

}  // namespace

NtStatus NtApi::do_create_file(HandleValue& handle, const FileCreation& creation,
                               Information& information) {
  const NtStatus valid = check_attributes(ObjectType::file, creation.object);
  if (!valid.succeeded()) return valid;
  PathEnd end;
  const NtStatus found = look_up(creation.object, end);
  if (!found.succeeded()) return found;
  if (!end.object) return status::object_name_not_found;
  if (end.object->type() != ObjectType::device) return status::object_type_mismatch;
  FileOpenResult opened;
  const NtStatus done = executive_.files().open({.name = end.rest,
                                                 .desired = creation.desired,
                                                 .share = creation.share,
                                                 .disposition = creation.disposition,
                                                 .options = creation.options,
                                                 .token = &token(),
                                                 .mode = caller_.mode,
                                                 .labels = executive_.has_integrity_levels(),
                                                 .security = creation.object.security},
                                                opened);
  if (!done.succeeded()) return done;
  const NtStatus given = caller_.process->handles.insert(
      ObjectRef<Object>(opened.file.get()), opened.granted, creation.object.attributes, handle);
  if (!given.succeeded()) {
    // As if it had never been: no deletion on close, and no file that was not there.
    if (opened.opened == FileOpened::created) opened.file->node->delete_pending = true;
    if (opened.opened != FileOpened::created) opened.file->delete_on_close = false;
    return given;
  }
  information = static_cast<Information>(opened.opened);
  return status::success;
}

NtStatus NtApi::create_file(HandleValue& file, const FileCreation& creation,
                            Information& information) {
  return told("NtCreateFile", [&] { return do_create_file(file, creation, information); });
}

NtStatus NtApi::open_file(HandleValue& file, AccessMask desired, const ObjectAttributes& object,
                          std::uint32_t share, std::uint32_t options, Information& information) {
  return told("NtOpenFile", [&] {
    return do_create_file(file,
                          {.desired = desired,
                           .object = object,
                           .share = share,
                           .disposition = FileDisposition::open,
                           .options = options},
                          information);
  });
}

NtStatus NtApi::read_file(HandleValue handle, std::span<std::byte> to,
                          std::optional<std::uint64_t> offset, std::uint32_t key,
                          Information& information) {
  return told("NtReadFile", [&]() -> NtStatus {
    information = 0;
    ObjectRef<FileObject> file;
    const NtStatus referenced = reference(handle, ObjectType::file, file_access::read_data, file);
    if (!referenced.succeeded()) return referenced;
    if (file->node->directory) return status::invalid_parameter;
    const std::uint64_t at = offset.value_or(file->position);
    const FileLock range{.file = file.get(),
                         .process = caller_.process->id,
                         .key = key,
                         .offset = at,
                         .length = to.size()};
    if (!valid_range(at, to.size())) return status::invalid_parameter;
    const NtStatus unlocked = check_locks_for_read(file->node->locks, range);
    if (!unlocked.succeeded()) return unlocked;
    if (executive_.faults().fault(FaultSite::file_read)) return status::in_page_error;
    information = file->node->read(at, to.data(), to.size());
    if (information == 0 && !to.empty()) return status::end_of_file;
    file->position = at + information;
    return status::success;
  });
}

NtStatus NtApi::write_file(HandleValue handle, std::span<const std::byte> from,
                           std::optional<std::uint64_t> offset, std::uint32_t key,
                           Information& information) {
  return told("NtWriteFile", [&]() -> NtStatus {
    information = 0;
    ObjectRef<FileObject> file;
    AccessMask granted = 0;
    const NtStatus referenced = reference(handle, ObjectType::file, 0, file, &granted);
    if (!referenced.succeeded()) return referenced;
    const bool writes = (granted & file_access::write_data) != 0;
    if (caller_.mode == CallerMode::user && !writes && (granted & file_access::append) == 0)
      return status::access_denied;
    // Appending is all that APPEND alone allows.
    const bool appends = !writes && caller_.mode == CallerMode::user;
    const std::uint64_t at = appends ? file->node->bytes.size() : offset.value_or(file->position);
    if (!valid_range(at, from.size())) return status::invalid_parameter;
    const FileLock range{.file = file.get(),
                         .process = caller_.process->id,
                         .key = key,
                         .offset = at,
                         .length = from.size()};
    const NtStatus unlocked = check_locks_for_write(file->node->locks, range);
    if (!unlocked.succeeded()) return unlocked;
    const NtStatus written = executive_.files().write(*file->node, at, from);
    if (!written.succeeded()) return written;
    information = from.size();
    file->position = at + from.size();
    return status::success;
  });
}

NtStatus NtApi::lock_file(HandleValue handle, std::uint64_t offset, std::uint64_t length,
                          std::uint32_t key, bool fail_immediately, bool exclusive) {
  return told("NtLockFile", [&]() -> NtStatus {
    ObjectRef<FileObject> file;
    AccessMask granted = 0;
    const NtStatus referenced = reference(handle, ObjectType::file, 0, file, &granted);
    if (!referenced.succeeded()) return referenced;
    const AccessMask either = file_access::read_data | file_access::write_data;
    if (caller_.mode == CallerMode::user && (granted & either) == 0) return status::access_denied;
    if (!valid_range(offset, length)) return status::invalid_parameter;
    if (executive_.faults().fault(FaultSite::lock_grant)) return status::lock_not_granted;
    const FileLock wanted{.file = file.get(),
                          .process = caller_.process->id,
                          .key = key,
                          .offset = offset,
                          .length = length,
                          .exclusive = exclusive};
    file->lock_used = true;
    const NtStatus at_once = grant_lock(file->node->locks, wanted, executive_.counters());
    if (at_once.succeeded() || fail_immediately) return at_once;
    ThreadWait wait;
    wait.kind = WaitKind::file_lock;
    wait.object = ObjectRef<Object>(file.get());
    wait.lock = wanted;
    return block(std::move(wait), [&]() -> std::optional<NtStatus> {
      if (!grant_lock(file->node->locks, wanted, executive_.counters()).succeeded())
        return std::nullopt;
      return status::success;
    });
  });
}

NtStatus NtApi::unlock_file(HandleValue handle, std::uint64_t offset, std::uint64_t length,
                            std::uint32_t key) {
  return told("NtUnlockFile", [&]() -> NtStatus {
    ObjectRef<FileObject> file;
    AccessMask granted = 0;
    const NtStatus referenced = reference(handle, ObjectType::file, 0, file, &granted);
    if (!referenced.succeeded()) return referenced;
    const AccessMask either = file_access::read_data | file_access::write_data;
    if (caller_.mode == CallerMode::user && (granted & either) == 0) return status::access_denied;
    const NtStatus released = release_lock(file->node->locks,
                                           {.file = file.get(),
                                            .process = caller_.process->id,
                                            .key = key,
                                            .offset = offset,
                                            .length = length},
                                           executive_.counters());
    if (released.succeeded()) executive_.files().on_unlock(*file->node);
    return released;
  });
}

NtStatus NtApi::do_set_file(HandleValue handle, std::uint32_t information_class,
                            std::span<const std::byte> from) {
  std::size_t wanted = 8;
  AccessMask right = 0;
  switch (information_class) {
    case disposition:
      wanted = 1;
      right = access::delete_object;
      break;
    case end_of_file:
      right = file_access::write_data;
      break;
    case position:
      break;
    default:
      return status::invalid_info_class;
  }
  if (from.size() < wanted) return status::info_length_mismatch;
  ObjectRef<FileObject> file;
  const NtStatus referenced = reference(handle, ObjectType::file, right, file);
  if (!referenced.succeeded()) return referenced;
  FileNode& node = *file->node;
  if (information_class == disposition) {
    const bool deletes = from[0] != std::byte{0};
    const bool held = node.read_only || node.directory || node.use.image_views != 0 ||
                      node.use.writable_views != 0;
    if (deletes && held) return status::cannot_delete;
    node.delete_pending = deletes;
    return status::success;
  }
  std::uint64_t value = 0;
  std::memcpy(&value, from.data(), sizeof value);
  if (value >> 63 != 0) return status::invalid_parameter;
  if (information_class == position) {
    file->position = value;
    return status::success;
  }
  const bool cuts = value < node.bytes.size();
  if (cuts && (node.use.image != 0 || node.use.views_beyond(value)))
    return status::user_mapped_file;
  return executive_.files().resize(node, value);
}

NtStatus NtApi::set_information_file(HandleValue file, std::uint32_t information_class,
                                     std::span<const std::byte> from) {
  return told("NtSetInformationFile", [&] { return do_set_file(file, information_class, from); });
}

NtStatus NtApi::query_information_file(HandleValue handle, std::uint32_t information_class,
                                       std::span<std::byte> to, std::uint32_t& length) {
  return told("NtQueryInformationFile", [&]() -> NtStatus {
    if (information_class != standard && information_class != position)
      return status::invalid_info_class;
    const std::size_t wanted =
        information_class == position ? sizeof(std::uint64_t) : sizeof(FileStandardInformation);
    if (to.size() < wanted) return status::info_length_mismatch;
    ObjectRef<FileObject> file;
    const NtStatus referenced = reference(handle, ObjectType::file, 0, file);
    if (!referenced.succeeded()) return referenced;
    if (information_class == position) return answer(file->position, to, length);
    const std::uint64_t size = file->node->bytes.size();
    return answer(FileStandardInformation{.allocation_size =
                                              (size + kNtPageSize - 1) / kNtPageSize * kNtPageSize,
                                          .end_of_file = size,
                                          .links = 1,
                                          .delete_pending = file->node->delete_pending,
                                          .directory = file->node->directory},
                  to, length);
  });
}

}  // namespace doppel

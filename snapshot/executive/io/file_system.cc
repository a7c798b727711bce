// SPDX-License-Identifier: Apache-2.0
//
// Opening, changing and removing files. Order and statuses: IoCheckShareAccess and IopCloseFile of
// ReactOS, MmFlushImageSection and MmCanFileBeTruncated of the driver documentation.
#include <algorithm>
#include <utility>

#include <snapshot/executive/io/file_system.h>
#include <snapshot/executive/ob/directory.h>
#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

bool replaces(FileDisposition disposition) {
  return disposition == FileDisposition::supersede || disposition == FileDisposition::overwrite ||
         disposition == FileDisposition::overwrite_if;
}

bool creates(FileDisposition disposition) {
  return disposition != FileDisposition::open && disposition != FileDisposition::overwrite;
}

/// What a token gives the files that it makes.
SecurityDescriptor default_file_security(const TokenData& token) {
  SecurityDescriptor security;
  security.owner = token.user;
  if (token.integrity_level < integrity::medium)
    security.label = IntegrityLabel{.level = token.integrity_level};
  return security;
}

AccessRequest access_of(const FileOpenRequest& request) {
  return {.type = ObjectType::file,
          .desired = request.desired,
          .denied = 0,
          .mode = request.mode,
          .labels = request.labels};
}

}  // namespace

FileSystem::FileSystem(std::uint64_t capacity, FaultPlan& faults, Counters& counters)
    : capacity_(capacity),
      faults_(faults),
      counters_(counters),
      directory_(std::make_shared<FileNode>()) {
  directory_->directory = true;
}

NtStatus FileSystem::check_open(const FileOpenRequest& request, FileNode& node,
                                FileOpenResult& result) {
  if (node.delete_pending) return status::delete_pending;
  if (request.disposition == FileDisposition::create) return status::object_name_collision;
  const NtStatus checked =
      check_access(*request.token, node.security, access_of(request), result.granted);
  if (!checked.succeeded()) return checked;
  const bool writes = (result.granted & (file_access::write_data | file_access::append)) != 0;
  const bool deletes_on_close = (request.options & file_option::delete_on_close) != 0;
  if (node.read_only && (writes || replaces(request.disposition))) return status::access_denied;
  const OpenMode mode = OpenMode::of(result.granted, request.share);
  if (faults_.fault(FaultSite::file_open) || !node.share.admits(mode))
    return status::sharing_violation;
  if (node.use.image != 0 && writes) return status::sharing_violation;
  if (deletes_on_close && (node.use.image != 0 || node.read_only)) return status::cannot_delete;
  if (replaces(request.disposition)) {
    if (node.use.image != 0 || node.use.any_data_view()) return status::user_mapped_file;
  }
  if (deletes_on_close && (result.granted & access::delete_object) == 0)
    return status::invalid_parameter;
  return status::success;
}

NtStatus FileSystem::create_node(const FileOpenRequest& request, FileOpenResult& result,
                                 std::shared_ptr<FileNode>& node) {
  if (!creates(request.disposition)) return status::object_name_not_found;
  const NtStatus checked = check_create_access(access_of(request), result.granted);
  if (!checked.succeeded()) return checked;
  if ((request.options & file_option::delete_on_close) != 0 &&
      (result.granted & access::delete_object) == 0)
    return status::invalid_parameter;
  if (faults_.fault(FaultSite::file_open)) return status::sharing_violation;
  node = std::make_shared<FileNode>();
  node->name = request.name;
  node->security = request.security ? request.security : default_file_security(*request.token);
  return status::success;
}

NtStatus FileSystem::open(const FileOpenRequest& request, FileOpenResult& result) {
  if (request.name.find('\\') != std::string::npos) return status::object_path_not_found;
  if (request.disposition > FileDisposition::overwrite_if ||
      (request.share & ~file_share::valid) != 0)
    return status::invalid_parameter;
  const std::string key = fold_case(request.name);
  const auto found = nodes_.find(key);
  std::shared_ptr<FileNode> node;
  bool fresh = false;
  if (request.name.empty() || found != nodes_.end()) {
    node = request.name.empty() ? directory_ : found->second;
    const NtStatus checked = check_open(request, *node, result);
    if (!checked.succeeded()) return checked;
    if (node->directory &&
        (replaces(request.disposition) || (result.granted & file_access::write_data) != 0))
      return status::access_denied;
  } else {
    const NtStatus created = create_node(request, result, node);
    if (!created.succeeded()) return created;
    fresh = true;
  }
  if (faults_.fault(FaultSite::object_alloc)) return status::insufficient_resources;
  // Nothing fails from here on.
  result.file = ObjectRef<FileObject>(
      new FileObject(*this, node, OpenMode::of(result.granted, request.share), counters_));
  result.file->delete_on_close = (request.options & file_option::delete_on_close) != 0;
  result.opened = FileOpened::opened;
  if (fresh) {
    nodes_.emplace(key, node);
    result.opened = FileOpened::created;
  } else if (replaces(request.disposition)) {
    node->bytes.clear();
    result.opened = request.disposition == FileDisposition::supersede ? FileOpened::superseded
                                                                      : FileOpened::overwritten;
  }
  return status::success;
}

void FileSystem::cleanup(FileObject& file) {
  assert(!file.cleaned);
  file.cleaned = true;
  FileNode& node = *file.node;
  const bool unlocked = release_locks(node.locks, &file, 0, counters_);
  node.share.remove(file.mode);
  --node.opens;
  if (file.delete_on_close && node.use.image == 0) node.delete_pending = true;
  if (node.delete_pending && node.opens == 0 && !node.unlinked) {
    node.unlinked = true;
    nodes_.erase(fold_case(node.name));
  }
  if (unlocked && on_unlock) on_unlock(node);
}

std::uint64_t FileSystem::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, node] : nodes_) bytes += node->bytes.size();
  return bytes;
}

bool FileSystem::fits(const FileNode& node, std::uint64_t size) const {
  const std::uint64_t others = used() - (node.unlinked ? 0 : node.bytes.size());
  return others <= capacity_ && size <= capacity_ - others;
}

NtStatus FileSystem::write(FileNode& node, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return status::success;
  if (offset > capacity_) return status::disk_full;
  const std::uint64_t end = offset + bytes.size();
  if (faults_.fault(FaultSite::file_write)) return status::disk_full;
  if (end > node.bytes.size()) {
    if (!fits(node, end)) return status::disk_full;
    node.bytes.resize(end);
  }
  std::ranges::copy(bytes, node.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  return status::success;
}

NtStatus FileSystem::resize(FileNode& node, std::uint64_t size) {
  if (faults_.fault(FaultSite::file_write)) return status::disk_full;
  if (size > node.bytes.size() && !fits(node, size)) return status::disk_full;
  node.bytes.resize(size);
  return status::success;
}

FileNode& FileSystem::install(std::string name, std::span<const std::byte> bytes,
                              std::uint8_t signer) {
  std::shared_ptr<FileNode>& node = nodes_[fold_case(name)];
  node = std::make_shared<FileNode>();
  node->name = std::move(name);
  node->bytes.assign(bytes.begin(), bytes.end());
  node->signer = signer;
  return *node;
}

std::shared_ptr<FileNode> FileSystem::find(std::string_view name) const {
  const auto found = nodes_.find(fold_case(name));
  return found == nodes_.end() ? nullptr : found->second;
}

}  // namespace doppel

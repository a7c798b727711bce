// SPDX-License-Identifier: Apache-2.0
//
// Directories and the walk along a path.
#include <algorithm>

#include <snapshot/executive/ob/directory.h>

namespace doppel {

std::string fold_case(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

Directory::~Directory() {
  counters().names -= entries_.size();
  for (const auto& [name, object] : entries_) object->set_name(nullptr, {});
}

Object* Directory::find(std::string_view name, bool ignore_case) const {
  if (const auto exact = entries_.find(name); exact != entries_.end()) return exact->second.get();
  if (!ignore_case) return nullptr;
  const std::string folded = fold_case(name);
  const auto found = std::ranges::find_if(
      entries_, [&](const auto& entry) { return fold_case(entry.first) == folded; });
  return found == entries_.end() ? nullptr : found->second.get();
}

NtStatus Directory::add(std::string name, const ObjectRef<Object>& object) {
  if (entries_.contains(name)) return status::object_name_collision;
  object->set_name(this, name);
  entries_.emplace(std::move(name), object);
  ++counters().names;
  return status::success;
}

void Directory::remove(Object& object) {
  const auto entry = entries_.find(object.name());
  assert(entry != entries_.end() && entry->second.get() == &object);
  const ObjectRef<Object> last = entry->second;
  entries_.erase(entry);
  --counters().names;
  last->set_name(nullptr, {});
}

NtStatus walk(Directory& root, Directory* relative, std::string_view path, bool ignore_case,
              PathEnd& end) {
  std::string remaining(path);
  Directory* at = relative;
  if (at == nullptr) {
    if (!remaining.starts_with('\\')) return status::object_path_syntax_bad;
    remaining.erase(0, 1);
    at = &root;
  }
  for (int links = 0;;) {
    const std::size_t slash = remaining.find('\\');
    const bool is_leaf = slash == std::string::npos;
    const std::string component = remaining.substr(0, slash);
    if (component.empty()) return status::object_name_invalid;
    Object* found = at->find(component, ignore_case);
    const std::string behind = is_leaf ? std::string() : remaining.substr(slash + 1);
    if (found != nullptr && found->type() == ObjectType::symbolic_link) {
      if (++links > 32) return status::object_name_invalid;
      const std::string& target = static_cast<SymbolicLink*>(found)->target();
      remaining = target.substr(1) + (is_leaf ? "" : "\\" + behind);
      at = &root;
      continue;
    }
    if (found != nullptr && found->type() == ObjectType::device) {
      end = {.directory = {}, .leaf = {}, .object = ObjectRef<Object>(found), .rest = behind};
      return status::success;
    }
    if (is_leaf) {
      end = {.directory = ObjectRef<Directory>(at),
             .leaf = component,
             .object = ObjectRef<Object>(found),
             .rest = {}};
      return status::success;
    }
    if (found == nullptr) return status::object_path_not_found;
    if (found->type() != ObjectType::directory) return status::object_type_mismatch;
    at = static_cast<Directory*>(found);
    remaining = behind;
  }
}

}  // namespace doppel

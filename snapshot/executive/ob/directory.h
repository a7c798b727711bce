// SPDX-License-Identifier: Apache-2.0
//
// The name space: directories, symbolic links, and the walk along a path. Names are UTF-8 and
// compared byte for byte unless the caller asks for no case (ASCII letters). What lies behind a
// device is its file system's business.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_OB_DIRECTORY_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_OB_DIRECTORY_H_

#include <map>
#include <string>
#include <string_view>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

/// ASCII letters in lower case.
std::string fold_case(std::string_view name);

class Directory final : public Object {
 public:
  explicit Directory(Counters& counters) : Object(ObjectType::directory, counters) {}

  /// Nothing where there is no such name.
  Object* find(std::string_view name, bool ignore_case) const;
  /// Names `object`; the entry holds a reference. OBJECT_NAME_COLLISION.
  NtStatus add(std::string name, const ObjectRef<Object>& object);
  /// Takes the name off `object`, which is an entry of this directory.
  void remove(Object& object);

  const std::map<std::string, ObjectRef<Object>, std::less<>>& entries() const { return entries_; }

 private:
  ~Directory() override;
  std::map<std::string, ObjectRef<Object>, std::less<>> entries_;
};

class SymbolicLink final : public Object {
 public:
  SymbolicLink(std::string target, Counters& counters)
      : Object(ObjectType::symbolic_link, counters), target_(std::move(target)) {}

  const std::string& target() const { return target_; }

 private:
  std::string target_;
};

/// Where a path leads.
struct PathEnd {
  ObjectRef<Directory> directory;  ///< that holds the leaf; empty when a device took the rest
  std::string leaf;
  ObjectRef<Object> object;  ///< under `leaf`, or the device; empty: the leaf is missing
  std::string rest;          ///< behind the device, without the backslash before it
};

/// Walks `path` from `start`: the root for a path with a leading backslash, else the caller's root
/// directory. `relative`: whether `start` is the latter. OBJECT_PATH_SYNTAX_BAD (no backslash and
/// no root directory), OBJECT_NAME_INVALID (empty component, or links in a circle),
/// OBJECT_PATH_NOT_FOUND (a directory is missing), OBJECT_TYPE_MISMATCH (a component is no
/// directory). A missing leaf is a success with no object. Links are followed, at the leaf too.
NtStatus walk(Directory& root, Directory* relative, std::string_view path, bool ignore_case,
              PathEnd& end);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_OB_DIRECTORY_H_

// SPDX-License-Identifier: Apache-2.0
//
// What every object of the executive has: type, name, security descriptor and its two counts.
// Process, Thread, Token, File and the rest derive from it (ps, se, io), Section in mm. It knows
// neither handle tables nor directories; those change the counts through the functions below and
// nobody else does.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_H_

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/se/security_descriptor.h>

namespace doppel {

class Directory;

enum class ObjectType : std::uint8_t {
  process,
  thread,
  section,
  file,
  event,
  mutant,
  token,
  directory,
  symbolic_link,
  crash_port,
  device,  ///< a volume's root: the rest of a path is its file system's business
};

/// One close of a handle, as the type's close procedure sees it: the counts are those before the
/// decrement, so that 1 means "this was the last".
struct HandleClose {
  std::uint32_t process = 0;  ///< id of the process that owned the handle
  AccessMask granted = 0;
  std::uint64_t process_handles = 0;  ///< handles to the object in that process
  std::uint64_t system_handles = 0;   ///< handles to the object in all processes
};

/// Lives from its creation with no reference until the last ObjectRef goes. Every handle holds one
/// pointer reference too, so pointer_count() >= handle_count(). Not thread-safe, as the whole
/// executive.
class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  ObjectType type() const { return type_; }

  std::uint64_t handle_count() const { return handle_count_; }

  std::uint64_t pointer_count() const { return pointer_count_; }

  /// Empty when the object has none, or has lost it with its last handle.
  const std::string& name() const { return name_; }

  Directory* parent() const { return parent_; }

  bool permanent() const { return permanent_; }

  void set_permanent(bool permanent) { permanent_ = permanent; }

  /// The one process that may have handles to it (OBJ_EXCLUSIVE); 0: any.
  std::uint32_t exclusive_to() const { return exclusive_to_; }

  void set_exclusive_to(std::uint32_t process) { exclusive_to_ = process; }

  /// Nothing: everybody may do everything.
  const std::optional<SecurityDescriptor>& security() const { return security_; }

  void set_security(SecurityDescriptor descriptor) { security_ = std::move(descriptor); }

  /// Runs on every close of a handle; File undoes locks and share counts here.
  virtual void closing(const HandleClose& /*close*/) {}

  // For ObjectRef, the handle tables and the directories only.
  void reference() { ++pointer_count_; }

  void dereference() {
    assert(pointer_count_ > 0);
    if (--pointer_count_ == 0) delete this;
  }

  void add_handle() { ++handle_count_; }

  void remove_handle() {
    assert(handle_count_ > 0);
    --handle_count_;
  }

  void set_name(Directory* parent, std::string name) {
    parent_ = parent;
    name_ = std::move(name);
  }

 protected:
  Object(ObjectType type, Counters& counters) : type_(type), counters_(counters) {
    ++counters_.objects;
  }

  virtual ~Object() {
    assert(handle_count_ == 0);
    --counters_.objects;
  }

  Counters& counters() const { return counters_; }

 private:
  ObjectType type_;
  bool permanent_ = false;
  std::uint32_t exclusive_to_ = 0;
  std::uint64_t handle_count_ = 0;
  std::uint64_t pointer_count_ = 0;
  Directory* parent_ = nullptr;
  std::string name_;
  std::optional<SecurityDescriptor> security_;
  Counters& counters_;
};

/// One pointer reference, held. T is Object or derives from it.
template <typename T>
class ObjectRef {
 public:
  ObjectRef() = default;

  explicit ObjectRef(T* object) : object_(object) {
    if (object_ != nullptr) object_->reference();
  }

  ObjectRef(const ObjectRef& other) : ObjectRef(other.object_) {}

  ObjectRef(ObjectRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

  ObjectRef& operator=(ObjectRef other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  ~ObjectRef() {
    if (object_ != nullptr) object_->dereference();
  }

  T* get() const { return object_; }

  T* operator->() const { return object_; }

  T& operator*() const { return *object_; }

  explicit operator bool() const { return object_ != nullptr; }

  bool operator==(const ObjectRef&) const = default;

 private:
  T* object_ = nullptr;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_H_

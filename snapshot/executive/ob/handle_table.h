// SPDX-License-Identifier: Apache-2.0
//
// The handles of one process: values, granted rights, and the normative order in which a use of a
// handle is checked. It decides no access to objects (se does, before a handle is born) and knows
// no native call. Facts: obref.c and obhandle.c of ReactOS.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_OB_HANDLE_TABLE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_OB_HANDLE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

inline constexpr HandleValue kCurrentProcess = ~HandleValue{0};
inline constexpr HandleValue kCurrentThread = ~HandleValue{1};
inline constexpr AccessMask kHandleAccessBits = 0x1FFFFFF;  ///< an entry keeps 25 bits

/// An entry. Empty object: a gap.
struct HandleEntry {
  ObjectRef<Object> object;
  AccessMask granted = 0;
  bool inherit = false;
  bool protect_close = false;
};

/// What the values -1 and -2 mean to the caller, and the rights that they carry.
struct PseudoHandles {
  Object* process = nullptr;
  AccessMask process_access = 0;
  Object* thread = nullptr;
  AccessMask thread_access = 0;
};

/// What a native call wants of a handle.
struct HandleUse {
  std::optional<ObjectType> type;  ///< absent: any
  AccessMask desired = 0;
  CallerMode mode = CallerMode::user;
  PseudoHandles pseudo = {};
};

class HandleTable {
 public:
  /// For the process with id `process`; at most `max_handles` entries. `faults` and `counters`
  /// outlive the table.
  HandleTable(std::uint32_t process, std::size_t max_handles, FaultPlan& faults,
              Counters& counters);
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  ~HandleTable() { sweep(); }

  /// A new handle at the lowest free value. INSUFFICIENT_RESOURCES when full; ACCESS_DENIED where
  /// the object is another process's alone; PROCESS_IS_TERMINATING after sweep(). `attributes`:
  /// inherit and protect_close of object_attribute, others are ignored.
  NtStatus insert(const ObjectRef<Object>& object, AccessMask granted, std::uint32_t attributes,
                  HandleValue& handle);

  /// Reference by handle, in NT's order: pseudo handle (OBJECT_TYPE_MISMATCH, ACCESS_DENIED),
  /// another negative value or no entry (INVALID_HANDLE), type (OBJECT_TYPE_MISMATCH), rights
  /// (ACCESS_DENIED; kernel mode skips only this one). `granted`, if given, gets the rights of the
  /// handle.
  NtStatus reference(HandleValue handle, const HandleUse& use, ObjectRef<Object>& object,
                     AccessMask* granted = nullptr) const;

  /// INVALID_HANDLE, or HANDLE_NOT_CLOSABLE for a protected one.
  NtStatus close(HandleValue handle);
  /// Rundown: closes everything, in the order of values, protected or not; insert() is refused from
  /// now on.
  void sweep();

  bool swept() const { return swept_; }

  /// Copies into this empty table what is inheritable in `parent`: same values, rights and
  /// attributes; gaps stay. With a `list` only those values, each of which must exist and be
  /// inheritable: INVALID_PARAMETER. PROCESS_IS_TERMINATING when the parent's table is gone. A
  /// failure leaves this table empty.
  NtStatus inherit(const HandleTable& parent, const std::optional<std::vector<HandleValue>>& list);

  /// NtSetInformationObject(handle flags). INVALID_HANDLE.
  NtStatus set_attributes(HandleValue handle, bool inherit, bool protect_close);

  /// Nothing where the value is no handle.
  const HandleEntry* find(HandleValue handle) const;

  std::size_t count() const { return count_; }

  /// How many entries lead to `object`.
  std::uint64_t handles_to(const Object& object) const;

  /// Entries by index, gaps included; the value of an index is 4 * (index + 1).
  std::span<const HandleEntry> entries() const { return entries_; }

  std::uint32_t process() const { return process_; }

 private:
  bool may_hold(const Object& object) const {
    return object.exclusive_to() == 0 || object.exclusive_to() == process_;
  }

  HandleEntry* slot(HandleValue handle);
  void put(std::size_t index, HandleEntry entry);
  void remove(std::size_t index);

  std::uint32_t process_;
  std::size_t max_handles_;
  FaultPlan& faults_;
  Counters& counters_;
  std::vector<HandleEntry> entries_;
  std::set<std::size_t> gaps_;                     ///< indexes of empty entries
  std::map<const Object*, std::uint64_t> counts_;  ///< looked up only, never walked
  std::size_t count_ = 0;
  bool swept_ = false;
};

/// NtDuplicateObject after both process handles are referenced.
struct DuplicateRequest {
  HandleValue handle = 0;
  AccessMask desired = 0;
  std::uint32_t attributes = 0;
  std::uint32_t options = 0;  ///< duplicate_option
  CallerMode mode = CallerMode::user;
  PseudoHandles source_pseudo;  ///< -1 and -2 mean the source process, whoever calls
};

/// Decides rights beyond those of the source handle by the object's own descriptor and protection;
/// `denied` by protection are removed from every copy of user-mode origin. File refuses any right
/// beyond at once.
class DuplicateAccess {
 public:
  virtual ~DuplicateAccess() = default;
  /// Whether the target's token may have `beyond` of `object`: SUCCESS or ACCESS_DENIED.
  virtual NtStatus check(const Object& object, AccessMask beyond) = 0;
  /// What protection keeps the target from.
  virtual AccessMask denied(const Object& object) = 0;
};

/// `target` absent: only DUPLICATE_CLOSE_SOURCE makes sense, else INVALID_PARAMETER. CLOSE_SOURCE
/// closes even when the duplication fails. PROCESS_IS_TERMINATING when a table is gone.
NtStatus duplicate_handle(HandleTable& source, HandleTable* target, const DuplicateRequest& request,
                          DuplicateAccess& access, HandleValue& made);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_OB_HANDLE_TABLE_H_

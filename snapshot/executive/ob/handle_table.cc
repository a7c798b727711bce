// SPDX-License-Identifier: Apache-2.0
//
// Handle tables. The order of a close is NT's: free the entry, decrement the count, close procedure
// (which saw the counts before), name, dereference.
#include <algorithm>
#include <utility>

#include <snapshot/executive/ob/directory.h>
#include <snapshot/executive/ob/handle_table.h>
#include <snapshot/executive/ob/object_type.h>

namespace doppel {
namespace {

bool is_negative(HandleValue handle) {
  return handle >> 63 != 0;
}

NtStatus use_pseudo(Object* object, AccessMask carried, const HandleUse& use,
                    ObjectRef<Object>& result, AccessMask* granted) {
  if (object == nullptr) return status::invalid_handle;
  if (use.type && *use.type != object->type()) return status::object_type_mismatch;
  if (use.mode == CallerMode::user && (use.desired & ~carried) != 0) return status::access_denied;
  result = ObjectRef<Object>(object);
  if (granted != nullptr) *granted = carried;
  return status::success;
}

}  // namespace

HandleTable::HandleTable(std::uint32_t process, std::size_t max_handles, FaultPlan& faults,
                         Counters& counters)
    : process_(process), max_handles_(max_handles), faults_(faults), counters_(counters) {}

const HandleEntry* HandleTable::find(HandleValue handle) const {
  const HandleValue number = handle / 4;  // the low two bits are free for the program's use
  if (is_negative(handle) || number == 0 || number > entries_.size()) return nullptr;
  const HandleEntry& entry = entries_[static_cast<std::size_t>(number) - 1];
  return entry.object ? &entry : nullptr;
}

HandleEntry* HandleTable::slot(HandleValue handle) {
  return const_cast<HandleEntry*>(std::as_const(*this).find(handle));
}

void HandleTable::put(std::size_t index, HandleEntry entry) {
  for (std::size_t gap = entries_.size(); gap < index; ++gap) gaps_.insert(gap);
  if (index >= entries_.size()) entries_.resize(index + 1);
  gaps_.erase(index);
  entry.object->add_handle();
  ++counts_[entry.object.get()];
  entries_[index] = std::move(entry);
  ++count_;
  ++counters_.handles;
}

NtStatus HandleTable::insert(const ObjectRef<Object>& object, AccessMask granted,
                             std::uint32_t attributes, HandleValue& handle) {
  if (swept_) return status::process_is_terminating;
  if (!may_hold(*object)) return status::access_denied;
  if (faults_.fault(FaultSite::handle_alloc)) return status::insufficient_resources;
  const std::size_t index = gaps_.empty() ? entries_.size() : *gaps_.begin();
  if (index >= max_handles_) return status::insufficient_resources;
  put(index, {.object = object,
              .granted = granted & kHandleAccessBits,
              .inherit = (attributes & object_attribute::inherit) != 0,
              .protect_close = (attributes & object_attribute::protect_close) != 0});
  handle = 4 * (index + 1);
  return status::success;
}

NtStatus HandleTable::reference(HandleValue handle, const HandleUse& use, ObjectRef<Object>& object,
                                AccessMask* granted) const {
  if (handle == kCurrentProcess) {
    return use_pseudo(use.pseudo.process, use.pseudo.process_access, use, object, granted);
  }
  if (handle == kCurrentThread) {
    return use_pseudo(use.pseudo.thread, use.pseudo.thread_access, use, object, granted);
  }
  const HandleEntry* entry = find(handle);
  if (entry == nullptr) return status::invalid_handle;
  if (use.type && *use.type != entry->object->type()) return status::object_type_mismatch;
  if (use.mode == CallerMode::user && (use.desired & ~entry->granted) != 0)
    return status::access_denied;
  object = entry->object;
  if (granted != nullptr) *granted = entry->granted;
  return status::success;
}

void HandleTable::remove(std::size_t index) {
  const ObjectRef<Object> object = entries_[index].object;
  const HandleClose close{.process = process_,
                          .granted = entries_[index].granted,
                          .process_handles = handles_to(*object),
                          .system_handles = object->handle_count()};
  entries_[index] = {};
  gaps_.insert(index);
  if (--counts_[object.get()] == 0) counts_.erase(object.get());
  --count_;
  --counters_.handles;
  object->remove_handle();
  object->closing(close);
  if (object->handle_count() == 0 && !object->permanent() && object->parent() != nullptr) {
    object->parent()->remove(*object);
  }
}

NtStatus HandleTable::close(HandleValue handle) {
  const HandleEntry* entry = find(handle);
  if (entry == nullptr) return status::invalid_handle;
  if (entry->protect_close) return status::handle_not_closable;
  remove(static_cast<std::size_t>(entry - entries_.data()));
  return status::success;
}

void HandleTable::sweep() {
  swept_ = true;
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    if (entries_[index].object) remove(index);
  }
  entries_.clear();
  gaps_.clear();
}

NtStatus HandleTable::inherit(const HandleTable& parent,
                              const std::optional<std::vector<HandleValue>>& list) {
  assert(count_ == 0);
  if (parent.swept_) return status::process_is_terminating;
  std::vector<std::size_t> indexes;
  if (list) {
    for (const HandleValue handle : *list) {
      const HandleEntry* entry = parent.find(handle);
      if (entry == nullptr || !entry->inherit || !may_hold(*entry->object))
        return status::invalid_parameter;
      indexes.push_back(static_cast<std::size_t>(entry - parent.entries_.data()));
    }
    std::ranges::sort(indexes);
    const auto repeated = std::ranges::unique(indexes);
    indexes.erase(repeated.begin(), repeated.end());
  } else {
    for (std::size_t index = 0; index < parent.entries_.size(); ++index) {
      const HandleEntry& entry = parent.entries_[index];
      // An exclusive object stays with its process; the others are not hindered by that.
      if (entry.object && entry.inherit && may_hold(*entry.object)) indexes.push_back(index);
    }
  }
  // All questions before the first copy: nothing is to be undone.
  for (std::size_t asked = 0; asked < indexes.size(); ++asked) {
    if (faults_.fault(FaultSite::handle_alloc)) return status::insufficient_resources;
  }
  if (!indexes.empty() && indexes.back() >= max_handles_) return status::insufficient_resources;
  for (const std::size_t index : indexes) put(index, parent.entries_[index]);
  return status::success;
}

NtStatus HandleTable::set_attributes(HandleValue handle, bool inherit, bool protect_close) {
  HandleEntry* entry = slot(handle);
  if (entry == nullptr) return status::invalid_handle;
  entry->inherit = inherit;
  entry->protect_close = protect_close;
  return status::success;
}

std::uint64_t HandleTable::handles_to(const Object& object) const {
  const auto found = counts_.find(&object);
  return found == counts_.end() ? 0 : found->second;
}

namespace {

NtStatus make_duplicate(const HandleTable& source, HandleTable& target,
                        const DuplicateRequest& request, DuplicateAccess& access,
                        HandleValue& made) {
  ObjectRef<Object> object;
  AccessMask held = 0;
  const NtStatus found = source.reference(
      request.handle,
      {.type = {}, .desired = 0, .mode = request.mode, .pseudo = request.source_pseudo}, object,
      &held);
  if (!found.succeeded()) return found;
  const bool same = (request.options & duplicate_option::same_access) != 0;
  AccessMask wanted = held;
  if (!same) {
    wanted = map_generic(object->type(), request.desired) & type_info(object->type()).valid;
    const AccessMask beyond = wanted & ~held;
    if (request.mode == CallerMode::user && beyond != 0) {
      if (object->type() == ObjectType::file) return status::access_denied;
      const NtStatus checked = access.check(*object, beyond);
      if (!checked.succeeded()) return checked;
    }
  }
  if (request.mode == CallerMode::user) {
    const AccessMask denied = access.denied(*object) & wanted;
    // A copy of what is held is trimmed; a right asked for by name is refused.
    if (denied != 0 && !same) return status::access_denied;
    wanted &= ~denied;
  }
  std::uint32_t attributes = request.attributes;
  const HandleEntry* entry = source.find(request.handle);
  if ((request.options & duplicate_option::same_attributes) != 0 && entry != nullptr) {
    attributes = (entry->inherit ? object_attribute::inherit : 0) |
                 (entry->protect_close ? object_attribute::protect_close : 0);
  }
  return target.insert(object, wanted, attributes, made);
}

}  // namespace

NtStatus duplicate_handle(HandleTable& source, HandleTable* target, const DuplicateRequest& request,
                          DuplicateAccess& access, HandleValue& made) {
  const bool closes = (request.options & duplicate_option::close_source) != 0;
  if (target == nullptr && !closes) return status::invalid_parameter;
  if (source.swept()) return status::process_is_terminating;
  NtStatus result = status::success;
  if (target == nullptr) {
    if (source.find(request.handle) == nullptr) result = status::invalid_handle;
  } else {
    result = make_duplicate(source, *target, request, access, made);
  }
  if (closes && source.find(request.handle) != nullptr) {
    const NtStatus closed = source.close(request.handle);
    if (target == nullptr) result = closed;
  }
  return result;
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
//
// The two objects that exist to be waited for. Data; the rules of waiting are in ke/wait.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_EVENT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_EVENT_H_

#include <cstdint>

#include <snapshot/executive/ob/object.h>

namespace doppel {

class Executive;

class Event final : public Object {
 public:
  Event(bool resets_itself, bool is_signalled, Counters& counters)
      : Object(ObjectType::event, counters),
        synchronization(resets_itself),
        signalled(is_signalled) {}

  const bool synchronization;  ///< one wait is satisfied and the event resets; else it stays
  bool signalled;

 private:
  ~Event() override = default;
};

class Mutant final : public Object {
 public:
  explicit Mutant(Executive& owner_executive);

  Executive& executive;
  const Object* owner = nullptr;  ///< a thread, or the process of a host actor; null: free
  std::uint32_t recursion = 0;
  bool abandoned = false;  ///< its owner died; the next one is told

 private:
  ~Mutant() override;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_EVENT_H_

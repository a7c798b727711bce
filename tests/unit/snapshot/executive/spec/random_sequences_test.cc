// SPDX-License-Identifier: Apache-2.0
//
// Long random sequences of native calls by three host actors on each other, on guests and on their
// clones, with faults injected now and then: whatever is answered, the invariants hold after every
// call, and when all are gone the executive is as after boot (I7).
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveRandomSequences : public ExecutiveSpec {
 protected:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  bool chance(std::uint64_t in) { return pick(in) == 0; }

  /// One of the handles that `actor` has, of whatever type; sometimes none at all.
  HandleValue any_handle(HostActor& actor) {
    const auto entries = actor.process().handles.entries();
    if (entries.empty() || chance(20)) return chance(2) ? kCurrentProcess : pick(200);
    return 4 * (1 + pick(entries.size()));
  }

  HandleValue handle_of(HostActor& actor, ObjectType type) {
    const auto entries = actor.process().handles.entries();
    std::vector<HandleValue> fitting;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].object && entries[i].object->type() == type) fitting.push_back(4 * (i + 1));
    }
    return fitting.empty() ? any_handle(actor) : fitting[pick(fitting.size())];
  }

  ObjectAttributes attributes() {
    ObjectAttributes object;
    if (chance(3)) object.attributes |= object_attribute::inherit;
    if (chance(3)) object.attributes |= object_attribute::open_if;
    if (chance(2)) object.name = "\\BaseNamedObjects\\n" + std::to_string(pick(4));
    return object;
  }

  std::string file() { return "f" + std::to_string(pick(4)); }

  void one_call(HostActor& actor) {
    NtApi& api = actor.nt();
    HandleValue made = 0;
    std::uint32_t word = 0;
    std::int32_t number = 0;
    std::uint64_t base = 0, size = kNtPageSize * (1 + pick(4)), offset = 0;
    std::size_t done = 0;
    Information information = 0;
    std::array<std::byte, 64> bytes{};
    const AccessMask rights[] = {access::maximum_allowed, access::generic_all, access::generic_read,
                                 access::generic_write,
                                 access::delete_object | access::generic_read};
    const AccessMask right = rights[pick(5)];
    const HandleValue process = handle_of(actor, ObjectType::process);
    switch (pick(34)) {
      case 0:
        answer(api.create_event(made, right, attributes(), word = pick(2), chance(2)));
        break;
      case 1:
        answer(api.create_mutant(made, right, attributes(), chance(2)));
        break;
      case 2:
        answer(api.release_mutant(handle_of(actor, ObjectType::mutant), number));
        break;
      case 3:
        answer(api.set_event(handle_of(actor, ObjectType::event), word));
        break;
      case 4:
        answer(api.wait_for_single_object(any_handle(actor), 0));
        break;
      case 5:
      case 6:
      case 7:
        answer(api.close(any_handle(actor)));
        break;
      case 8:
        answer(api.duplicate_object(process, any_handle(actor), process, made, right, pick(3),
                                    static_cast<std::uint32_t>(pick(8))));
        break;
      case 9:
      case 10:
      case 11:
        answer(open_file(api, file(), right, pick(8), static_cast<FileDisposition>(pick(6)), made,
                         chance(6) ? file_option::delete_on_close : 0,
                         chance(2) ? object_attribute::inherit : 0));
        break;
      case 12:
        answer(
            api.write_file(handle_of(actor, ObjectType::file), bytes, pick(200), 0, information));
        break;
      case 13:
        answer(api.read_file(handle_of(actor, ObjectType::file), bytes, pick(200), 0, information));
        break;
      case 14:
      case 15:
        answer(api.lock_file(handle_of(actor, ObjectType::file), pick(32), pick(16), 0, true,
                             chance(2)));
        break;
      case 16:
        answer(api.unlock_file(handle_of(actor, ObjectType::file), pick(32), pick(16), 0));
        break;
      case 17:
        bytes[0] = std::byte{static_cast<unsigned char>(pick(2))};
        answer(api.set_information_file(handle_of(actor, ObjectType::file), chance(2) ? 13 : 20,
                                        bytes));
        break;
      case 18: {
        const std::uint32_t protects[] = {page::readonly, page::readwrite, page::writecopy};
        const HandleValue from = chance(2) ? 0 : handle_of(actor, ObjectType::file);
        answer(api.create_section(made, right, attributes(), from == 0 ? size : 0,
                                  protects[pick(3)], sec::commit, from));
        break;
      }
      case 19:
        answer(api.create_section(made, right, {}, 0, page::execute, sec::image,
                                  handle_of(actor, ObjectType::file)));
        break;
      case 20:
      case 21: {
        const std::uint32_t protects[] = {page::readonly, page::readwrite, page::writecopy};
        size = 0;
        answer(api.map_view_of_section(handle_of(actor, ObjectType::section), process, base, 0, 0,
                                       offset, size, 1 + static_cast<std::uint32_t>(pick(2)), 0,
                                       protects[pick(3)]));
        if (base != 0) areas_.push_back(base);
        break;
      }
      case 22:
        answer(api.unmap_view_of_section(process, area()));
        break;
      case 23:
        answer(api.allocate_virtual_memory(process, base, 0, size, mem::commit | mem::reserve,
                                           page::readwrite));
        if (base != 0) areas_.push_back(base);
        break;
      case 24:
        base = area();
        size = 0;
        answer(api.free_virtual_memory(process, base, size, mem::release));
        break;
      case 25:
        answer(api.write_virtual_memory(process, area() + pick(64), bytes, done));
        break;
      case 26:
        answer(api.read_virtual_memory(process, area() + pick(64), bytes, done));
        break;
      case 27: {
        Started started;
        started.attributes.image_name =
            "\\??\\C:\\" + std::string(chance(2) ? "counter.exe" : "forker.exe");
        answer(api.create_user_process(started.process, started.thread, right, right, {}, {},
                                       chance(2) ? process_flag::inherit_handles : 0, pick(2),
                                       nullptr, started.info, started.attributes));
        break;
      }
      case 28:
        answer(api.create_process_ex(made, right, {}, process,
                                     chance(2) ? process_flag::inherit_handles : 0,
                                     chance(3) ? handle_of(actor, ObjectType::section) : 0, 0, 0));
        break;
      case 29:
        answer(api.suspend_process(process));
        break;
      case 30:
        answer(api.resume_thread(handle_of(actor, ObjectType::thread), word));
        break;
      case 31:
        // Not itself: it has more to do.
        if (process != kCurrentProcess) answer(terminate(actor, process));
        break;
      case 32: {
        const ClientId id{4 * pick(40), 0};
        answer(api.open_process(made, right, {}, &id));
        break;
      }
      default:
        executive->stepper().step(pick(300));
        break;
    }
  }

  NtStatus terminate(HostActor& actor, HandleValue handle) {
    const HandleEntry* entry = actor.process().handles.find(handle);
    for (const auto& other : actors_) {
      if (entry != nullptr && entry->object.get() == &other->process()) return status::success;
    }
    return chance(3) ? actor.nt().terminate_process(handle, status::unsuccessful) : status::success;
  }

  /// Ends whatever still lives, as nobody else is left to.
  void end_all() {
    HostActor system(*executive, "system", system_token(), {}, CallerMode::kernel);
    std::vector<std::uint32_t> alive;
    do {
      alive.clear();
      for (const auto& [id, process] : executive->processes()) {
        if (!process->signalled && id != system.process().id) alive.push_back(id);
      }
      for (const std::uint32_t id : alive) {
        const ClientId client{id, 0};
        HandleValue handle = 0;
        if (!system.nt().open_process(handle, process_access::terminate, {}, &client).succeeded())
          continue;  // it went with another
        EXPECT_EQ(system.nt().terminate_process(handle, status::success), status::success);
        EXPECT_EQ(system.nt().close(handle), status::success);
      }
    } while (!alive.empty());
  }

  std::uint64_t area() { return areas_.empty() ? 0x10000 : areas_[pick(areas_.size())]; }

  void answer(NtStatus status) { succeeded_ += status.succeeded() ? 1 : 0; }

  std::mt19937_64 random_{GetParam()};
  std::vector<std::unique_ptr<HostActor>> actors_;
  std::vector<std::uint64_t> areas_;
  std::uint64_t succeeded_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveRandomSequences, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveRandomSequences, leave_nothing_and_break_nothing) {
  constexpr int kRounds = 4, kCalls = 1000;
  for (int round = 0; round < kRounds; ++round) {
    boot({.commit_limit = 2000});
    parent.reset();
    install("counter.exe");
    install("forker.exe");
    executive->files().install("f0", guest_bytes("counter.exe"));
    for (const char* name : {"one", "two", "three"})
      actors_.push_back(std::make_unique<HostActor>(*executive, name));
    areas_.clear();
    succeeded_ = 0;
    const bool faulty = round % 2 == 1;
    if (faulty) executive->faults() = FaultPlan::random(random_(), 30);
    for (int i = 0; i < kCalls; ++i) {
      one_call(*actors_[pick(actors_.size())]);
      ASSERT_EQ(executive->broken_invariant(), "") << round << " " << i;
    }
    EXPECT_GT(succeeded_, static_cast<std::uint64_t>(kCalls / 4));
    executive->faults() = {};
    actors_.clear();
    end_all();
    EXPECT_EQ(executive->counters().names, executive->boot_counters().names);
    EXPECT_EQ(executive->counters(), executive->boot_counters()) << "I7, round " << round;
  }
}

}  // namespace
}  // namespace doppel

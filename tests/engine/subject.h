// SPDX-License-Identifier: Apache-2.0
//
// What the engine's suite asks of an operating system, real or modelled: processes whose truth is
// known from outside, and a back end that captures them. The suite knows no more than this.
#ifndef DOPPEL_TESTS_ENGINE_SUBJECT_H_
#define DOPPEL_TESTS_ENGINE_SUBJECT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <snapshot/model/backend.h>

namespace doppel {

enum class SubjectKind {
  stamping,  ///< stamps words on many pages, in a fixed order, with numbers that only rise
  sharing,   ///< has memory that is shared, and private memory that it never touched
  holding,   ///< holds things that only one can hold
};

/// One process. Ended by the destructor.
class Subject {
 public:
  virtual ~Subject() = default;

  virtual std::int32_t pid() const = 0;

  /// Of `stamping`: the words, in the order of their writing.
  virtual std::vector<std::uint64_t> stamps() { return {}; }

  /// Of `sharing`: a word in shared memory, and a page that is private and was never touched.
  virtual std::uint64_t shared_word() { return 0; }

  virtual std::uint64_t untouched_page() { return 0; }

  /// The word as the process itself has it now.
  virtual std::uint64_t own_word(std::uint64_t address) = 0;
  /// Of `stamping`: lets it run until every stamp has risen.
  virtual void let_run() = 0;

  /// Of `holding`: whether somebody else could have what it holds.
  virtual bool can_be_taken() { return false; }

  /// Of `holding`: gives it all up, or ends.
  virtual void give_up() {}

  /// The process is no more when this returns.
  virtual void end() = 0;
  /// What is wrong with a subject that was only looked at; "" for nothing.
  virtual std::string harm() = 0;
};

class World {
 public:
  virtual ~World() = default;

  /// Why nothing can run here; "" for no reason.
  virtual std::string skip_reason() { return {}; }

  virtual std::unique_ptr<Subject> start(SubjectKind kind) = 0;
  virtual SnapshotBackend& backend() = 0;

  /// An id that no process has.
  virtual std::int32_t nobody() = 0;
  /// What captures have left behind, when no snapshot lives; "" for nothing.
  virtual std::string leftovers() = 0;
};

struct WorldKind {
  std::string name;
  std::unique_ptr<World> (*make)(std::uint64_t seed) = nullptr;
  std::uint64_t seed = 0;
};

inline void PrintTo(const WorldKind& kind, std::ostream* out) {
  *out << kind.name;
}

std::unique_ptr<World> make_linux_world(std::uint64_t seed);
std::unique_ptr<World> make_executive_world(std::uint64_t seed);

}  // namespace doppel

#endif  // DOPPEL_TESTS_ENGINE_SUBJECT_H_

// SPDX-License-Identifier: Apache-2.0
//
// The specification's world with a dumper in it: a process of its own that captures others through
// the snapshot back end.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CAPTURE_CAPTURED_WORLD_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CAPTURE_CAPTURED_WORLD_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/plan/selection.h>
#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/model/image_check.h>
#include <tests/support/pour.h>
#include <tests/unit/snapshot/executive/spec/executive_world.h>

namespace doppel {

class CapturedWorld : public ExecutiveSpec {
 protected:
  ~CapturedWorld() override { forget_dumper(); }

  /// Before another boot().
  void forget_dumper() {
    backend.reset();
    dumper.reset();
  }

  void start_dumper(const TokenData& token = user_token(), Protection protection = {}) {
    forget_dumper();
    dumper = std::make_unique<HostActor>(*executive, "dumper", token, protection);
    backend = std::make_unique<ExecutiveBackend>(dumper->nt());
  }

  Result<Snapshot> capture(std::uint64_t pid, SharedMemory shared = SharedMemory::live,
                           Engine engine = Engine::automatic) {
    if (!backend) start_dumper();
    CaptureRequest request;
    request.target = static_cast<std::int32_t>(pid);
    request.shared = shared;
    request.engine = engine;
    return backend->capture(request);
  }

  /// The bytes of a minidump of it.
  static std::vector<std::byte> dump_of(const Snapshot& snapshot) {
    const auto selection = select(snapshot.image, *snapshot.memory);
    EXPECT_TRUE(selection.has_value());
    if (!selection) return {};
    const auto plan = find_format("minidump")->plan(snapshot.image, *selection);
    EXPECT_TRUE(plan.has_value());
    if (!plan) return {};
    auto bytes = pour(*plan, *snapshot.memory);
    EXPECT_TRUE(bytes.has_value());
    return bytes ? std::move(*bytes) : std::vector<std::byte>();
  }

  static std::string text(const Error& error) {
    return std::string(error.step) + " " + error.subject;
  }

  static std::optional<std::uint64_t> word_at(const Snapshot& snapshot, std::uint64_t address) {
    std::uint64_t value = 0;
    std::size_t done = 0;
    const auto bytes = std::as_writable_bytes(std::span(&value, 1));
    while (done < bytes.size()) {
      const auto got = snapshot.memory->read({address + done}, bytes.subspan(done));
      if (!got) return std::nullopt;
      done += *got;
    }
    return value;
  }

  static const Region* region_at(const ProcessImage& image, std::uint64_t address) {
    for (const Region& region : image.regions)
      if (region.range.contains({address})) return &region;
    return nullptr;
  }

  static const Omission* omission_at(const ProcessImage& image, std::uint64_t address) {
    for (const Omission& omission : image.omissions)
      if (omission.range.contains({address})) return &omission;
    return nullptr;
  }

  static bool torn_at(const ProcessImage& image, std::uint64_t address) {
    for (const TornRange& torn : image.torn)
      if (torn.range.contains({address})) return true;
    return false;
  }

  std::unique_ptr<HostActor> dumper;
  std::unique_ptr<ExecutiveBackend> backend;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CAPTURE_CAPTURED_WORLD_H_

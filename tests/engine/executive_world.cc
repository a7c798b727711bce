// SPDX-License-Identifier: Apache-2.0
//
// The suite's subjects on the executive model: guests, run by a session, looked at through the
// model's own page tables.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/executive/guest_session.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/process.h>
#include <tests/engine/subject.h>

namespace doppel {
namespace {

const char* guest_of(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::stamping:
      return "gens.exe";
    case SubjectKind::sharing:
      return "mapper.exe";
    case SubjectKind::holding:
      break;
  }
  return "holder.exe";
}

GuestSessionOptions session_of(SubjectKind kind, std::uint64_t seed) {
  GuestSessionOptions options;
  options.executive.seed = seed;
  options.executive.schedule.policy = SchedulePolicy::seeded;
  options.executive.check_invariants = true;
  options.program = guest_of(kind);
  std::ifstream in(std::string(DOPPEL_GUESTS_DIR) + "/" + options.program, std::ios::binary);
  EXPECT_TRUE(in) << options.program;
  const std::vector<char> chars{std::istreambuf_iterator<char>(in), {}};
  const auto* from = reinterpret_cast<const std::byte*>(chars.data());
  options.image.assign(from, from + chars.size());
  return options;
}

/// A machine with one guest and one dumper.
class ExecutiveSubject final : public Subject {
 public:
  ExecutiveSubject(SubjectKind kind, std::uint64_t seed)
      : kind_(kind),
        session_(session_of(kind, seed)),
        dumper_(session_.executive(), "dumper"),
        other_(session_.executive(), "somebody else"),
        backend_(dumper_.nt()) {
    EXPECT_TRUE(session_.launch(id_).succeeded());
    if (kind == SubjectKind::holding) {
      EXPECT_EQ(session_.run(1'000'000), GuestEnd::crashed);
      backend_.set_crash(session_.crash());
    } else {
      std::ignore = session_.executive().stepper().step(20'000);
    }
    if (kind == SubjectKind::sharing) {
      std::uint64_t size = 4 * kNtPageSize;
      EXPECT_TRUE(space()
                      .allocate(untouched_, size, mem::reserve | mem::commit, page::readwrite)
                      .succeeded());
    }
    for (const ObjectRef<NtThread>& thread : process().threads)
      counts_.push_back(thread->suspend_count);
    handles_ = process().handles.count();
    before_ = session_.executive().counters();
  }

  std::int32_t pid() const override { return static_cast<std::int32_t>(id_); }

  std::vector<std::uint64_t> stamps() override {
    constexpr std::uint64_t kPages = 16;
    std::vector<std::uint64_t> words;
    for (const auto& [first, vad] : space().vads()) {
      if (vad.kind != VadKind::image) continue;
      for (std::uint64_t page = first; page < vad.last && words.empty(); ++page) {
        MemoryInformation run;
        EXPECT_TRUE(space().query(page * kNtPageSize, run).succeeded());
        if (run.protect != page::readwrite || run.size < kPages * kNtPageSize) continue;
        for (std::uint64_t i = 0; i < kPages; ++i) words.push_back(run.base + i * kNtPageSize);
      }
    }
    return words;
  }

  std::uint64_t shared_word() override {
    for (const auto& [first, vad] : space().vads())
      if (vad.kind == VadKind::pagefile && vad.inherit == ViewInherit::share)
        return first * kNtPageSize;
    return 0;
  }

  std::uint64_t untouched_page() override { return untouched_; }

  std::uint64_t own_word(std::uint64_t address) override {
    std::uint64_t word = 0;
    PageFault fault;
    EXPECT_TRUE(space().load(address, std::as_writable_bytes(std::span(&word, 1)), fault));
    return word;
  }

  void let_run() override {
    const std::lock_guard guard(backend_.access().lock);
    const std::vector<std::uint64_t> words = stamps();
    const std::uint64_t first = own_word(words.front());
    EXPECT_EQ(session_.executive().stepper().run_until(
                  [&] { return own_word(words.front()) >= first + 2; }, 1'000'000),
              StepOutcome::progress);
  }

  bool can_be_taken() override {
    HandleValue file = 0;
    Information information = 0;
    const NtStatus opened = other_.nt().create_file(
        file,
        {.desired = file_access::read_data | file_access::write_data,
         .object = {.name = "\\??\\C:\\data.bin", .attributes = object_attribute::case_insensitive},
         .share = 0,
         .disposition = FileDisposition::open},
        information);
    if (!opened.succeeded()) return false;
    const NtStatus locked = other_.nt().lock_file(file, 0, 16, 0, true, true);
    EXPECT_TRUE(other_.nt().close(file).succeeded());
    HandleValue mutant = 0;
    const NtStatus made = other_.nt().create_mutant(mutant, access::generic_all,
                                                    {.name = "\\BaseNamedObjects\\holder"}, true);
    if (made.succeeded()) {
      EXPECT_TRUE(other_.nt().close(mutant).succeeded());
    }
    return locked.succeeded() && made == status::success;
  }

  void give_up() override { end(); }

  void end() override {
    if (kind_ == SubjectKind::holding) {
      EXPECT_TRUE(session_.dismiss().succeeded());
      return;
    }
    HandleValue handle = 0;
    const ClientId client{.process = id_, .thread = 0};
    EXPECT_TRUE(
        other_.nt().open_process(handle, process_access::terminate, {}, &client).succeeded());
    EXPECT_TRUE(other_.nt().terminate_process(handle, status::unsuccessful).succeeded());
    EXPECT_TRUE(other_.nt().close(handle).succeeded());
  }

  std::string harm() override {
    if (process().exiting) return "it ended";
    if (process().handles.count() != handles_) return "its handles changed";
    std::vector<std::uint32_t> counts;
    for (const ObjectRef<NtThread>& thread : process().threads)
      counts.push_back(thread->suspend_count);
    if (counts != counts_) return "its threads are suspended otherwise";
    if (kind_ == SubjectKind::stamping) let_run();
    return session_.executive().broken_invariant();
  }

  std::string leftovers() {
    if (dumper_.process().handles.count() != 0) return "the dumper has handles";
    if (!process().exiting && !(session_.executive().counters() == before_) &&
        kind_ == SubjectKind::holding)
      return "the executive's counters differ";
    return session_.executive().broken_invariant();
  }

  ExecutiveBackend& backend() { return backend_; }

 private:
  Process& process() { return *session_.executive().find_process(id_); }

  AddressSpace& space() { return *process().space; }

  SubjectKind kind_;
  GuestSession session_;
  HostActor dumper_, other_;
  ExecutiveBackend backend_;
  std::uint32_t id_ = 0;
  std::uint64_t untouched_ = 0;
  std::vector<std::uint32_t> counts_;
  std::size_t handles_ = 0;
  Counters before_;
};

class ExecutiveWorld final : public World {
 public:
  explicit ExecutiveWorld(std::uint64_t seed) : seed_(seed) {}

  std::unique_ptr<Subject> start(SubjectKind kind) override {
    auto subject = std::make_unique<ExecutiveSubject>(kind, seed_);
    subject_ = subject.get();
    return subject;
  }

  SnapshotBackend& backend() override { return subject_->backend(); }

  std::int32_t nobody() override { return 0x7FFFFFFC; }

  std::string leftovers() override { return subject_->leftovers(); }

 private:
  std::uint64_t seed_;
  ExecutiveSubject* subject_ = nullptr;  ///< started last
};

}  // namespace

std::unique_ptr<World> make_executive_world(std::uint64_t seed) {
  return std::make_unique<ExecutiveWorld>(seed);
}

}  // namespace doppel

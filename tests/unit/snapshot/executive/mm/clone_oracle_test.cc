// SPDX-License-Identifier: Apache-2.0
//
// T47: copy-on-write is an implementation detail. Random sequences of operations run in two worlds
// that differ only in how clones are made, by reference or by copying every page; whatever a guest
// or a native call can observe must be equal after each operation: statuses, faults, answers of
// queries, bytes, charges. Page statistics and share counts are what differs, and are left out.
#include <cstdint>
#include <optional>

#include "memory_world.h"
#include "pe_builder.h"

#include <tests/support/sanitizer.h>

namespace doppel {
namespace {

/// splitmix64 (public domain, Vigna): the same in every build.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  std::uint64_t below(std::uint64_t n) { return next() % n; }

 private:
  std::uint64_t state_;
};

constexpr std::uint32_t kProtections[] = {
    page::noaccess,  page::readonly,          page::readwrite,
    page::writecopy, page::execute_read,      page::execute_readwrite,
    page::readwrite, page::execute_writecopy, page::readwrite | page::guard};

enum class Kind : std::uint8_t {
  allocate,
  commit,
  free,
  protect,
  map,
  unmap,
  load,
  store,
  read,
  write,
  fetch,
  clone,
  drop,
  write_file,
};

/// One operation, already decided, so that both worlds do the same.
struct Operation {
  Kind kind = Kind::load;
  std::uint64_t space = 0, base = 0, size = 0, value = 0;
  std::uint32_t protect = 0, type = 0, section = 0;
};

/// All that one operation answers.
struct Answer {
  std::uint32_t status = 0;
  std::uint64_t base = 0, size = 0, value = 0;
  PageFault fault;
  bool operator==(const Answer&) const = default;
};

constexpr std::uint64_t kMostSpaces = 5, kSections = 4;

struct Side {
  explicit Side(CloneMode how) : mode(how), world(1200) {
    file.bytes.assign(0x5800, std::byte{5});
    program.bytes = build_pe(usual_pe());
    sections.push_back(world.section(0x6000, page::execute_readwrite, sec::commit));
    sections.push_back(world.section(0x40000, page::readwrite, sec::reserve));
    sections.push_back(world.section(0, page::readwrite, sec::commit, &file));
    sections.push_back(world.section(0, page::execute, sec::image, &program));
    world.add();
  }

  ~Side() {
    world.spaces.clear();
    sections.clear();
  }

  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  Answer run(const Operation& operation);

  CloneMode mode;
  FileNode file{.name = "data"}, program{.name = "program.exe"};
  MemoryWorld world;
  std::vector<ObjectRef<Section>> sections;
};

Answer Side::run(const Operation& operation) {
  Answer answer{.base = operation.base, .size = operation.size};
  AddressSpace& space = *world.spaces[operation.space];
  const auto byte = static_cast<std::byte>(operation.value);
  std::vector<std::byte> bytes(operation.size);
  std::size_t done = 0;
  switch (operation.kind) {
    case Kind::allocate:
    case Kind::commit:
      answer.status =
          space.allocate(answer.base, answer.size, operation.type, operation.protect).value;
      break;
    case Kind::free:
      answer.status = space.free(answer.base, answer.size, operation.type).value;
      break;
    case Kind::protect: {
      std::uint32_t old = 0;
      answer.status = space.protect(answer.base, answer.size, operation.protect, old).value;
      answer.value = old;
      break;
    }
    case Kind::map: {
      MapRequest request{
          .base = operation.base,
          .commit_size = operation.section == 1 ? 0x2000U : 0U,
          .offset = 0,
          .size = operation.size,
          .inherit = operation.value % 4 == 0 ? ViewInherit::unmap : ViewInherit::share,
          .type = operation.type,
          .protect = operation.protect};
      answer.status = space.map(sections[operation.section], request).value;
      answer.base = request.base;
      answer.size = request.size;
      break;
    }
    case Kind::unmap:
      answer.status = space.unmap(operation.base).value;
      break;
    case Kind::load:
      if (space.load(operation.base, {bytes.data(), 1}, answer.fault))
        answer.value = std::to_integer<std::uint64_t>(bytes[0]);
      break;
    case Kind::store:
      space.store(operation.base, {&byte, 1}, answer.fault);
      break;
    case Kind::read:
      answer.status = space.read(operation.base, bytes, done).value;
      for (std::size_t i = 0; i < done; ++i)
        answer.value = answer.value * 31 + std::to_integer<std::uint64_t>(bytes[i]);
      answer.size = done;
      break;
    case Kind::write:
      std::ranges::fill(bytes, byte);
      answer.status = space.write(operation.base, bytes, done).value;
      answer.size = done;
      break;
    case Kind::fetch: {
      ExecutablePage page;
      if (space.fetch(operation.base, page, answer.fault))
        answer.value = std::to_integer<std::uint64_t>(page.bytes[operation.base % kNtPageSize]);
      break;
    }
    case Kind::clone: {
      NtStatus why;
      world.clone(space, operation.value, mode, &why);
      answer.status = why.value;
      break;
    }
    case Kind::drop:
      if (world.spaces.size() > 1) world.drop(&space);
      break;
    case Kind::write_file:
      file.bytes[operation.base % file.bytes.size()] = byte;
      break;
  }
  return answer;
}

/// Everything that a space shows: its map, its charges, and what each readable page holds - looked
/// at through the entries, so that looking changes nothing.
void expect_equal(const AddressSpace& a, const AddressSpace& b) {
  ASSERT_EQ(a.commit_charge(), b.commit_charge());
  ASSERT_EQ(a.peak_commit_charge(), b.peak_commit_charge());
  ASSERT_EQ(a.working_set(), b.working_set());
  for (std::uint64_t at = 0; at < kUserEnd;) {
    MemoryInformation left;
    MemoryInformation right;
    ASSERT_TRUE(a.query(at, left).succeeded());
    ASSERT_TRUE(b.query(at, right).succeeded());
    ASSERT_EQ(left, right) << std::hex << at;
    at += left.size;
  }
  ASSERT_EQ(a.ptes().size(), b.ptes().size());
  auto other = b.ptes().begin();
  for (const auto& [page, pte] : a.ptes()) {
    ASSERT_EQ(page, other->first);
    const Pte& twin = (other++)->second;
    ASSERT_EQ(pte.frame == kNoFrame, twin.frame == kNoFrame) << std::hex << page;
    ASSERT_EQ(pte.shared, twin.shared) << std::hex << page;
    if (pte.frame == kNoFrame) continue;
    ASSERT_EQ(std::memcmp(a.memory().bytes(pte.frame), b.memory().bytes(twin.frame), kNtPageSize),
              0)
        << std::hex << page;
  }
}

/// A run is as long as it can be, and holds from each of its pages on.
void expect_whole_runs(const AddressSpace& space) {
  MemoryInformation before;
  for (std::uint64_t at = 0; at < kUserEnd;) {
    MemoryInformation run;
    ASSERT_TRUE(space.query(at, run).succeeded());
    const bool neighbours = run.allocation_base == before.allocation_base &&
                            run.state == before.state && run.protect == before.protect;
    ASSERT_FALSE(neighbours) << std::hex << at;
    const std::uint64_t end = run.base + run.size;
    for (std::uint64_t i = 1; i < std::min<std::uint64_t>(40, run.size / kNtPageSize); ++i) {
      MemoryInformation part = run;
      part.base = run.base + i * kNtPageSize;
      part.size = end - part.base;
      MemoryInformation found;
      ASSERT_TRUE(space.query(part.base + i, found).succeeded());
      ASSERT_EQ(found, part) << std::hex << part.base;
    }
    before = run;
    at = end;
  }
}

Operation decide(Random& random, const AddressSpace& space, std::uint64_t spaces) {
  Operation operation;
  operation.kind = static_cast<Kind>(random.below(14));
  operation.space = random.below(spaces);
  // An address that means something, mostly: somewhere in what is mapped.
  std::uint64_t skip = space.vads().empty() ? 0 : random.below(space.vads().size());
  auto at = space.vads().begin();
  while (skip-- > 0) ++at;
  std::uint64_t base = kUserBegin + random.below(64) * 0x4000;
  std::uint64_t pages = 1 + random.below(8);
  if (at != space.vads().end() && random.below(16) != 0) {
    const std::uint64_t offset =
        random.below(std::min<std::uint64_t>(12, at->second.last - at->first));
    base = (at->first + offset) * kNtPageSize;
  }
  operation.protect = kProtections[random.below(std::size(kProtections))];
  operation.value = random.below(256);
  operation.base = base;
  operation.size = pages * kNtPageSize;
  switch (operation.kind) {
    case Kind::allocate:
      operation.type = mem::reserve | (random.below(3) != 0 ? mem::commit : 0) |
                       (random.below(4) == 0 ? mem::top_down : 0);
      if (random.below(2) == 0) operation.base = 0;
      break;
    case Kind::commit:
      operation.type = mem::commit;
      break;
    case Kind::free:
      operation.type = random.below(3) == 0 ? mem::release : mem::decommit;
      if (random.below(4) == 0) operation.size = 0;
      break;
    case Kind::map:
      operation.section = static_cast<std::uint32_t>(random.below(kSections));
      operation.size = 0;
      operation.base = random.below(2) == 0 ? 0 : base & ~(kAllocationGranularity - 1);
      if ((operation.protect & page::guard) != 0) operation.protect = page::writecopy;
      break;
    case Kind::load:
    case Kind::store:
    case Kind::fetch:
      operation.base += random.below(kNtPageSize);
      operation.size = 8;
      break;
    case Kind::read:
    case Kind::write:
      operation.base += random.below(kNtPageSize);
      operation.size = 1 + random.below(3 * kNtPageSize);
      break;
    case Kind::clone:
      // The first page of something as PEB, or none.
      operation.value =
          random.below(2) == 0 || at == space.vads().end() ? 0 : at->first * kNtPageSize;
      break;
    default:
      break;
  }
  return operation;
}

/// One sequence; returns how many clones it made.
std::uint64_t run_sequence(std::uint64_t seed, std::uint64_t operations) {
  Random random(seed);
  Side shared(CloneMode::copy_on_write);
  Side copied(CloneMode::deep_copy);
  std::uint64_t clones = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    const std::uint64_t spaces = shared.world.spaces.size();
    Operation operation = decide(random, *shared.world.spaces[random.below(spaces)], spaces);
    if (operation.kind == Kind::clone && spaces >= kMostSpaces) operation.kind = Kind::drop;
    // Something to work on first.
    if (i == 0) operation = {.kind = Kind::map, .protect = page::readonly, .section = 3};
    if (i == 1) {
      operation = {.kind = Kind::allocate,
                   .size = 0x10000,
                   .protect = page::readwrite,
                   .type = mem::reserve | mem::commit};
    }
    const Answer left = shared.run(operation);
    const Answer right = copied.run(operation);
    EXPECT_EQ(left, right) << "seed " << seed << " operation " << i << " kind "
                           << static_cast<int>(operation.kind) << std::hex << " status "
                           << left.status << " and " << right.status;
    if (left != right) return clones;
    EXPECT_EQ(shared.world.spaces.size(), copied.world.spaces.size());
    if (operation.kind == Kind::clone && left.status == 0) ++clones;
    EXPECT_EQ(shared.world.memory.committed(), copied.world.memory.committed());
    EXPECT_EQ(shared.file.use.writable_views, copied.file.use.writable_views);
  }
  EXPECT_EQ(shared.world.wrong(), "") << seed;
  EXPECT_EQ(copied.world.wrong(), "") << seed;
  EXPECT_EQ(shared.file.bytes, copied.file.bytes);
  for (const auto& space : shared.world.spaces) expect_whole_runs(*space);
  for (std::size_t i = 0; i < shared.world.spaces.size(); ++i)
    expect_equal(*shared.world.spaces[i], *copied.world.spaces[i]);
  return clones;
}

class CloneOracle : public testing::TestWithParam<std::uint64_t> {};

TEST_P(CloneOracle, T47RandomSequencesLookTheSame) {
  // Of each seed. A sanitizer needs the code to run, not so often.
  constexpr std::uint64_t kSequences = kSanitized ? 3'500 : 10'000;
  std::uint64_t clones = 0;
  for (std::uint64_t i = 0; i < kSequences && !HasFailure(); ++i)
    clones += run_sequence(GetParam() * 1000003 + i, 40);
  EXPECT_GT(clones, kSequences);
}

TEST_P(CloneOracle, T47LongSequencesLookTheSame) {
  for (std::uint64_t i = 0; i < 20 && !HasFailure(); ++i) run_sequence(GetParam() * 7919 + i, 2000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CloneOracle, testing::Values(1, 2, 3));

}  // namespace
}  // namespace doppel

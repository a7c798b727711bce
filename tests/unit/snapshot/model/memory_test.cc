// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <snapshot/model/snapshot.h>

namespace doppel {
namespace {

/// The least a memory can be.
class NoMemory : public Memory {
 public:
  explicit NoMemory(bool& alive) : alive_(alive) { alive_ = true; }

  ~NoMemory() override { alive_ = false; }

  Result<std::size_t> read(Address, std::span<std::byte>) const override {
    return fail(Errc::unmapped, "read memory");
  }

 private:
  bool& alive_;
};

TEST(MemoryTest, ByDefaultEverythingMayHoldData) {
  bool alive = false;
  const NoMemory memory(alive);
  const AddressRange range{Address{0x1000}, 0x3000};
  const Result<std::vector<Extent>> extents = memory.survey(range);
  ASSERT_TRUE(extents);
  EXPECT_EQ(*extents, std::vector<Extent>({Extent{range, Extent::Kind::data}}));
  memory.release(range);  // a hint: nothing happens
}

TEST(SnapshotTest, OwningTheMemoryIsOwningTheClone) {
  bool alive = false;
  {
    Snapshot first{.image = {}, .memory = std::make_unique<NoMemory>(alive)};
    const Snapshot second = std::move(first);
    EXPECT_TRUE(alive);
  }
  EXPECT_FALSE(alive);
}

}  // namespace
}  // namespace doppel

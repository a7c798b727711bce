// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <snapshot/model/image_check.h>

namespace doppel {
namespace {

ProcessImage image(std::initializer_list<AddressRange> ranges) {
  ProcessImage result;
  for (const AddressRange& range : ranges) {
    result.regions.push_back(Region{.range = range});
  }
  result.threads.push_back(Thread{.id = 1});
  return result;
}

AddressRange at(std::uint64_t begin, std::uint64_t size) {
  return {Address{begin}, size};
}

TEST(ImageCheckTest, NeighboursAreFine) {
  EXPECT_TRUE(check_image(image({at(0, 0x1000), at(0x1000, 0x1000), at(0x5000, 0x1000)})));
  EXPECT_TRUE(check_image(image({at(0xfffffffffffff000, 0x1000)}))) << "ends at 2^64";
}

TEST(ImageCheckTest, NoMemoryAtAllIsFine) {
  EXPECT_TRUE(check_image(image({})));
}

TEST(ImageCheckTest, RefusesWhatConsumersRelyOn) {
  const auto code = [](const ProcessImage& bad) { return check_image(bad).error().code; };
  EXPECT_EQ(code(image({at(0x1000, 0)})), Errc::malformed) << "empty";
  EXPECT_EQ(code(image({at(0x2000, 0x1000), at(0x1000, 0x1000)})), Errc::malformed) << "order";
  EXPECT_EQ(code(image({at(0x1000, 0x1001), at(0x2000, 0x1000)})), Errc::malformed)
      << "overlap by one byte";
  EXPECT_EQ(code(image({at(0x1000, 0x1000), at(0x1000, 0x1000)})), Errc::malformed)
      << "the same twice";
  EXPECT_EQ(code(image({at(0xfffffffffffff000, 0x1001)})), Errc::malformed) << "wraps";
}

TEST(ImageCheckTest, RefusesThreadsWithoutIdentity) {
  ProcessImage none = image({});
  none.threads.clear();
  EXPECT_EQ(check_image(none).error().code, Errc::malformed);
  ProcessImage twice = image({});
  twice.threads.push_back(Thread{.id = 1});
  EXPECT_EQ(check_image(twice).error().code, Errc::malformed);
}

}  // namespace
}  // namespace doppel

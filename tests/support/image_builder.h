// SPDX-License-Identifier: Apache-2.0
//
// A ProcessImage in five lines, for tests. Everything has a plausible default; what a test is
// about, it says.
#ifndef DOPPEL_TESTS_SUPPORT_IMAGE_BUILDER_H_
#define DOPPEL_TESTS_SUPPORT_IMAGE_BUILDER_H_

#include <algorithm>
#include <string>
#include <utility>

#include <snapshot/model/process_image.h>

namespace doppel {

/// Private, rw-, anonymous.
inline Region anonymous_region(std::uint64_t begin, std::uint64_t size, std::string name = {}) {
  Region region;
  region.range = {.begin = Address{begin}, .size = size};
  region.access = {.read = true, .write = true, .execute = false};
  region.path = std::move(name);
  return region;
}

/// Private, r--, a named file nobody wrote to.
inline Region file_region(std::uint64_t begin, std::uint64_t size, std::string path,
                          std::uint64_t offset = 0) {
  Region region;
  region.range = {.begin = Address{begin}, .size = size};
  region.access = {.read = true, .write = false, .execute = false};
  region.backing = Backing::file;
  region.path = std::move(path);
  region.file_offset = offset;
  region.inode = 42;
  region.device_major = 8;
  region.device_minor = 1;
  return region;
}

/// Shared, rw-, memory without a name.
inline Region shared_region(std::uint64_t begin, std::uint64_t size) {
  Region region = anonymous_region(begin, size, "/memfd:cache");
  region.sharing = Sharing::shared;
  region.backing = Backing::shared_memory;
  region.deleted = true;
  return region;
}

class ImageBuilder {
 public:
  ImageBuilder() {
    ProcessInfo& process = image_.process;
    process.pid = 4711;
    process.parent = 4700;
    process.group = 4711;
    process.session = 4700;
    process.namespace_pid = 17;
    process.namespace_parent = 1;
    process.namespace_group = 17;
    process.namespace_session = 1;
    process.uid = 1000;
    process.gid = 100;
    process.comm = "server";
    process.executable = "/usr/bin/server";
    process.arguments = {"server", "--port", "80"};
    process.coredump_filter = 0x33;  // the kernel's default
    process.engine = "clone";
    process.consistency = "instant";
    process.kernel = "6.1.0";
    process.tool = "doppel test";
  }

  /// The first thread is the leader.
  ImageBuilder& thread(std::int32_t id, std::uint64_t rsp = 0, std::uint64_t rip = 0) {
    Thread thread;
    thread.id = id;
    thread.namespace_id = id - image_.process.pid + image_.process.namespace_pid;
    thread.name = "worker";
    thread.registers.general.rsp = rsp;
    thread.registers.general.rip = rip;
    thread.registers.general.cs = 0x33;
    thread.registers.general.ss = 0x2b;
    thread.registers.fxsave.assign(512, std::byte{0});
    image_.threads.push_back(std::move(thread));
    return *this;
  }

  ImageBuilder& region(Region region) {
    image_.regions.push_back(std::move(region));
    return *this;
  }

  ImageBuilder& verbatim(std::string name, std::vector<std::byte> bytes) {
    image_.verbatim.push_back({.name = std::move(name), .bytes = std::move(bytes)});
    return *this;
  }

  /// For whatever has no word of its own here.
  ProcessImage& image() { return image_; }

  ProcessImage build() const {
    ProcessImage image = image_;
    std::sort(image.regions.begin(), image.regions.end(),
              [](const Region& a, const Region& b) { return a.range < b.range; });
    if (image.threads.empty())
      image.threads = ImageBuilder().thread(image.process.pid).image_.threads;
    return image;
  }

 private:
  ProcessImage image_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_IMAGE_BUILDER_H_

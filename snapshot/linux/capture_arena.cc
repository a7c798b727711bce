// SPDX-License-Identifier: Apache-2.0
#include <cpuid.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <snapshot/linux/capture_arena.h>

namespace doppel {
namespace {

constexpr std::size_t kPage = 4096;

std::size_t round_up(std::size_t size, std::size_t to) {
  return (size + to - 1) / to * to;
}

/// Size of the XSAVE area of this processor (CPUID leaf 0xD, ECX: all features that it has).
std::size_t xsave_room() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::size_t size = 4096;
  if (__get_cpuid_count(0xd, 0, &a, &b, &c, &d) != 0) size = std::max<std::size_t>(size, c);
  return round_up(size, 64);
}

}  // namespace

Result<CaptureArena> CaptureArena::create(const Room& room) {
  const std::size_t stride = round_up(xsave_room() + kIoBitmapSize, kPage);
  const std::size_t records = round_up(sizeof(ArenaHeader), alignof(ThreadRecord));
  const std::size_t copies =
      round_up(records + room.threads * sizeof(ThreadRecord), alignof(CopyRecord));
  const std::size_t head = round_up(copies + room.copies * sizeof(CopyRecord), kPage);
  const std::size_t maps_room = round_up(room.maps_bytes, kPage);
  const std::size_t size =
      head + room.threads * stride + maps_room + round_up(room.copy_bytes, kPage);
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return fail_errno(errno, "reserve room for the registers");
  CaptureArena arena;
  arena.base_ = static_cast<std::byte*>(base);
  arena.size_ = size;
  arena.header_ = new (arena.base_) ArenaHeader;
  arena.records_ = reinterpret_cast<ThreadRecord*>(arena.base_ + records);
  arena.capacity_ = room.threads;
  arena.copy_records_ = reinterpret_cast<CopyRecord*>(arena.base_ + copies);
  arena.copy_capacity_ = room.copies;
  arena.xsave_ = arena.base_ + head;
  arena.xsave_stride_ = stride;
  arena.maps_ = arena.xsave_ + room.threads * stride;
  arena.maps_capacity_ = maps_room;
  arena.copies_ = arena.maps_ + maps_room;
  arena.copies_size_ = room.copy_bytes;
  return arena;
}

CaptureArena::CaptureArena(CaptureArena&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      size_(other.size_),
      header_(other.header_),
      records_(other.records_),
      capacity_(other.capacity_),
      copy_records_(other.copy_records_),
      copy_capacity_(other.copy_capacity_),
      xsave_(other.xsave_),
      xsave_stride_(other.xsave_stride_),
      maps_(other.maps_),
      maps_capacity_(other.maps_capacity_),
      copies_(other.copies_),
      copies_size_(other.copies_size_) {}

CaptureArena::~CaptureArena() {
  if (base_ != nullptr) munmap(base_, size_);
}

void CaptureArena::discard(std::size_t index) const {
  // The pages are shared: only removing them from the file behind them frees them.
  (void)madvise(xsave_ + index * xsave_stride_, xsave_stride_, MADV_REMOVE);
}

void CaptureArena::populate(std::size_t threads) const {
  const std::size_t used = xsave_stride_ - kIoBitmapSize;
  for (std::size_t i = 0; i < std::min(threads, capacity_); ++i) {
    for (std::size_t at = 0; at < used; at += kPage) {
      static_cast<volatile std::byte&>(xsave_[i * xsave_stride_ + at]) = std::byte{0};
    }
  }
  for (std::size_t at = 0; at < maps_capacity_ + copies_size_; at += kPage) {
    static_cast<volatile std::byte&>(maps_[at]) = std::byte{0};
  }
}

}  // namespace doppel

// SPDX-License-Identifier: Apache-2.0
#include <llvm/BinaryFormat/Minidump.h>

#include <cstdint>

#include <dumpwriter/read/minidump_memory.h>

namespace doppel {

namespace {

using llvm::minidump::StreamType;
using llvm::support::ulittle64_t;

std::uint32_t number(StreamType type) {
  return static_cast<std::uint32_t>(type);
}

}  // namespace

std::vector<Stretch> read_minidump_memory(MinidumpFile& file) {
  std::vector<Stretch> stretches;
  const auto add = [&](std::uint64_t begin, std::uint64_t size, std::uint64_t offset) {
    if (size == 0 || begin + (size - 1) < begin) return;
    stretches.push_back({{{begin}, size}, Extent::Kind::data, offset});
  };
  {
    const auto stream = file.stream(number(StreamType::Memory64List));
    StreamCursor cursor(stream);
    const std::uint64_t count = cursor.take<ulittle64_t>();
    std::uint64_t offset = cursor.take<ulittle64_t>();
    using llvm::minidump::MemoryDescriptor_64;
    for (std::uint64_t i = 0; i < count && cursor.has(sizeof(MemoryDescriptor_64)); ++i) {
      const auto record = cursor.take<MemoryDescriptor_64>();
      const std::uint64_t size = record.DataSize;
      if (offset + size < offset) break;  // what follows cannot be placed
      add(record.StartOfMemoryRange, size, offset);
      offset += size;
    }
  }
  const auto add_record = [&](const llvm::minidump::MemoryDescriptor& record) {
    if (record.Memory.RVA != 0) {
      add(record.StartOfMemoryRange, record.Memory.DataSize, record.Memory.RVA);
    }
  };
  {
    const auto stream = file.stream(number(StreamType::MemoryList));
    StreamCursor cursor(stream);
    const std::uint32_t count = cursor.take_count(sizeof(llvm::minidump::MemoryDescriptor));
    for (std::uint32_t i = 0; i < count; ++i) {
      add_record(cursor.take<llvm::minidump::MemoryDescriptor>());
    }
  }
  {
    const auto stream = file.stream(number(StreamType::ThreadList));
    StreamCursor cursor(stream);
    const std::uint32_t count = cursor.take_count(sizeof(llvm::minidump::Thread));
    for (std::uint32_t i = 0; i < count; ++i) {
      add_record(cursor.take<llvm::minidump::Thread>().Stack);
    }
  }
  return stretches;
}

}  // namespace doppel

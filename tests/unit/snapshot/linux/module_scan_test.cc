// SPDX-License-Identifier: Apache-2.0
//
// Modules from mapped headers: of this very process, compared with what the loader says, and made
// by hand, sound and hostile.
#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/module_scan.h>
#include <snapshot/linux/proc_reader.h>

namespace doppel {
namespace {

/// This process's own memory.
class OwnMemory : public Memory {
 public:
  OwnMemory() : fd_(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) {}

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    const ssize_t got = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(from.value));
    if (got <= 0) return fail(Errc::unmapped, "read");
    return static_cast<std::size_t>(got);
  }

 private:
  UniqueFd fd_;
};

constexpr std::uint64_t kBase = 0x7f0000000000;

/// Bytes at kBase.
class BytesMemory : public Memory {
 public:
  explicit BytesMemory(std::vector<std::byte> all) : bytes(std::move(all)) {}

  std::vector<std::byte> bytes;
  std::size_t most = SIZE_MAX;  ///< answers at most so many at once

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    const std::uint64_t at = from.value - kBase;
    if (at >= bytes.size()) return fail(Errc::unmapped, "read");
    const std::size_t size = std::min({to.size(), bytes.size() - at, most});
    std::memcpy(to.data(), bytes.data() + at, size);
    return size;
  }
};

std::vector<Region> own_regions() {
  return ProcDir::open(Sys::real(), ::getpid())->read_smaps()->regions;
}

TEST(ModuleScan, AgreesWithTheLoader) {
  const auto modules = scan_modules(own_regions(), OwnMemory());

  struct Loaded {
    std::string name;
    std::vector<std::byte> build_id;
    std::uint64_t end;
  };

  std::map<std::uint64_t, Loaded> loaded;  // by the address of the header
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        auto& map = *static_cast<std::map<std::uint64_t, Loaded>*>(to);
        std::uint64_t begin = UINT64_MAX, end = 0;
        Loaded one{info->dlpi_name, {}, 0};
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& phdr = info->dlpi_phdr[i];
          if (phdr.p_type == PT_LOAD) {
            begin = std::min<std::uint64_t>(begin, info->dlpi_addr + phdr.p_vaddr);
            end = std::max<std::uint64_t>(end, info->dlpi_addr + phdr.p_vaddr + phdr.p_filesz);
          }
          if (phdr.p_type != PT_NOTE) continue;
          const auto* notes = reinterpret_cast<const std::byte*>(info->dlpi_addr + phdr.p_vaddr);
          for (std::uint64_t at = 0; at + 12 < phdr.p_filesz;) {
            std::uint32_t head[3];
            std::memcpy(head, notes + at, sizeof head);
            const std::uint64_t body = at + 12 + (head[0] + 3) / 4 * 4;
            if (head[2] == 3 && std::memcmp(notes + at + 12, "GNU", 4) == 0) {
              one.build_id.assign(notes + body, notes + body + head[1]);
            }
            const std::uint64_t align = phdr.p_align == 8 ? 8 : 4;
            at = (body + head[1] + align - 1) / align * align;
          }
        }
        one.end = (end + 4095) / 4096 * 4096;
        map.emplace(begin / 4096 * 4096, one);
        return 0;
      },
      &loaded);
  ASSERT_GE(loaded.size(), 3u);
  ASSERT_EQ(modules.size(), loaded.size());
  int with_id = 0;
  for (const Module& module : modules) {
    const auto match = loaded.find(module.range.begin.value);
    ASSERT_NE(match, loaded.end()) << module.path;
    EXPECT_EQ(module.build_id, match->second.build_id) << module.path;
    with_id += !module.build_id.empty();
    if (module.path != "[vdso]") {
      EXPECT_EQ(module.range.end(), match->second.end) << module.path;
    } else {
      EXPECT_EQ(module.range.begin.value, ::getauxval(AT_SYSINFO_EHDR));
    }
  }
  EXPECT_GE(with_id, 2);
  EXPECT_TRUE(std::ranges::is_sorted(modules, {}, [](const Module& m) { return m.range.begin; }));
}

TEST(ModuleScan, AFileMappedToBeReadIsNoModule) {
  // An ELF file of which nothing is executable here: what a debugger does.
  const UniqueFd file(::open("/bin/true", O_RDONLY | O_CLOEXEC));
  void* mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  ASSERT_EQ(std::memcmp(mapped, ELFMAG, SELFMAG), 0);
  const auto modules = scan_modules(own_regions(), OwnMemory());
  EXPECT_FALSE(std::ranges::any_of(modules, [&](const Module& module) {
    return module.range.begin.value == reinterpret_cast<std::uint64_t>(mapped);
  }));
  ::munmap(mapped, 4096);
}

struct HandMade {
  Elf64_Ehdr header{};
  Elf64_Phdr load{}, data{}, note{};
  std::vector<std::byte> notes;

  HandMade() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof load;
    header.e_phnum = 3;
    load = {PT_LOAD, PF_R | PF_X, 0, 0x10000, 0x10000, 0x1000, 0x1000, 0x1000};
    data = {PT_LOAD, PF_R | PF_W, 0x1000, 0x13000, 0x13000, 0x800, 0x1800, 0x1000};
    add_note("GNU", 1, {std::byte{9}});
    add_note("GNU", NT_GNU_BUILD_ID, std::vector<std::byte>(20, std::byte{0xab}));
    note = {PT_NOTE, PF_R, 0x200, 0x10200, 0x10200, notes.size(), notes.size(), 4};
  }

  void add_note(std::string_view name, std::uint32_t type, const std::vector<std::byte>& body) {
    const Elf64_Nhdr head{static_cast<std::uint32_t>(name.size() + 1),
                          static_cast<std::uint32_t>(body.size()), type};
    const auto append = [&](const void* from, std::size_t size) {
      const auto* bytes = static_cast<const std::byte*>(from);
      notes.insert(notes.end(), bytes, bytes + size);
      notes.resize((notes.size() + 3) / 4 * 4);
    };
    append(&head, sizeof head);
    append(std::string(name).c_str(), name.size() + 1);
    append(body.data(), body.size());
  }

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> page(0x1000);
    std::memcpy(page.data(), &header, sizeof header);
    std::memcpy(page.data() + 64, &load, sizeof load);
    std::memcpy(page.data() + 64 + 56, &data, sizeof data);
    std::memcpy(page.data() + 64 + 112, &note, sizeof note);
    std::memcpy(page.data() + 0x200, notes.data(), notes.size());
    return page;
  }
};

Region mapping(std::uint64_t offset, std::uint64_t size, bool execute, std::uint64_t file_offset,
               std::string path = "/lib/x.so") {
  Region region;
  region.range = {{kBase + offset}, size};
  region.access = {true, false, execute};
  region.backing = path.empty() ? Backing::anonymous : Backing::file;
  region.inode = path.empty() ? 0 : 7;
  region.path = std::move(path);
  region.file_offset = file_offset;
  return region;
}

std::vector<Region> usual_regions() {
  return {mapping(0, 0x1000, true, 0), mapping(0x1000, 0x2000, false, 0, ""),
          mapping(0x3000, 0x1000, false, 0x1000), mapping(0x4000, 0x1000, false, 0, ""),
          mapping(0x8000, 0x1000, false, 0x1000)};
}

TEST(ModuleScan, TakesTheSpanThatTheHeadersClaim) {
  const BytesMemory memory(HandMade().bytes());
  const auto modules = scan_modules(usual_regions(), memory);
  ASSERT_EQ(modules.size(), 1u);
  EXPECT_EQ(modules[0].path, "/lib/x.so");
  // Up to the data mapping; the same file mapped far behind is not part of the module.
  EXPECT_EQ(modules[0].range, (AddressRange{{kBase}, 0x4000}));
  EXPECT_EQ(modules[0].build_id, std::vector<std::byte>(20, std::byte{0xab}));
}

TEST(ModuleScan, TextAndDataOfATinyFileShareAPage) {
  // Both segments lie in the first page of the file: two mappings of offset 0, one module.
  HandMade elf;
  elf.data.p_offset = 0x800;
  elf.data.p_vaddr = 0x11800;
  const auto modules = scan_modules(
      {mapping(0, 0x1000, true, 0), mapping(0x1000, 0x1000, false, 0)}, BytesMemory(elf.bytes()));
  ASSERT_EQ(modules.size(), 1u);
  EXPECT_EQ(modules[0].range.size, 0x2000u);
}

TEST(ModuleScan, ShortReadsAreContinued) {
  BytesMemory memory(HandMade().bytes());
  memory.most = 5;
  const auto modules = scan_modules(usual_regions(), memory);
  ASSERT_EQ(modules.size(), 1u);
  EXPECT_EQ(modules[0].build_id.size(), 20u);
}

TEST(ModuleScan, WithoutAReadableHeaderTheNeighboursMakeTheModule) {
  const BytesMemory nothing({});
  const auto modules =
      scan_modules({mapping(0, 0x1000, true, 0), mapping(0x1000, 0x1000, false, 0x1000),
                    mapping(0x2000, 0x1000, false, 0x9000, "/lib/y.so")},
                   nothing);
  ASSERT_EQ(modules.size(), 1u);
  EXPECT_EQ(modules[0].range, (AddressRange{{kBase}, 0x2000}));
  EXPECT_TRUE(modules[0].build_id.empty());
}

TEST(ModuleScan, ExecutableDataIsNoModule) {
  BytesMemory memory(HandMade().bytes());
  memory.bytes[0] = std::byte{0x90};
  EXPECT_TRUE(scan_modules({mapping(0, 0x1000, true, 0)}, memory).empty());
}

TEST(ModuleScan, DevicesAndSecretsAreNotRead) {
  struct Never : Memory {
    Result<std::size_t> read(Address, std::span<std::byte>) const override {
      ADD_FAILURE() << "read";
      return fail(Errc::unmapped, "read");
    }
  };

  Region device = mapping(0, 0x1000, true, 0, "/dev/x");
  device.backing = Backing::device;
  Region secret = mapping(0x1000, 0x1000, true, 0, "/secretmem");
  secret.backing = Backing::shared_memory;
  secret.traits.secret = true;
  EXPECT_TRUE(scan_modules({device, secret}, Never()).empty());
}

TEST(ModuleScan, HostileHeadersGiveAnAnswer) {
  std::mt19937_64 random(11);
  int modules_seen = 0;
  for (int round = 0; round < 20'000; ++round) {
    BytesMemory memory(HandMade().bytes());
    for (unsigned changes = 1 + random() % 6; changes-- > 0;) {
      // Whole fields as well as bytes, so that extreme offsets and counts are met.
      const std::size_t at = random() % 0x280;
      const std::uint64_t value = random() % 3 == 0 ? ~0ull : random();
      std::memcpy(memory.bytes.data() + at, &value, 1u << random() % 4);
    }
    const auto regions = usual_regions();
    for (const Module& module : scan_modules(regions, memory)) {
      ++modules_seen;
      EXPECT_LE(module.build_id.size(), 64u);
      EXPECT_LE(module.range.end(), regions.back().range.end());
      EXPECT_GE(module.range.size, 0x1000u);
    }
  }
  EXPECT_GT(modules_seen, 100);
}

TEST(ModuleScan, ABuildIdOfImpossibleSizeIsNone) {
  HandMade elf;
  elf.notes.clear();
  elf.add_note("GNU", NT_GNU_BUILD_ID, std::vector<std::byte>(65));
  elf.note.p_filesz = elf.notes.size();
  EXPECT_TRUE(scan_modules(usual_regions(), BytesMemory(elf.bytes()))[0].build_id.empty());
  elf.notes.clear();
  elf.add_note("GNU", NT_GNU_BUILD_ID, {});
  elf.note.p_filesz = elf.notes.size();
  EXPECT_TRUE(scan_modules(usual_regions(), BytesMemory(elf.bytes()))[0].build_id.empty());
  // A note that claims more than there is.
  elf.notes.clear();
  elf.add_note("GNU", NT_GNU_BUILD_ID, std::vector<std::byte>(20));
  elf.note.p_filesz = elf.notes.size() - 1;
  EXPECT_TRUE(scan_modules(usual_regions(), BytesMemory(elf.bytes()))[0].build_id.empty());
}

}  // namespace
}  // namespace doppel

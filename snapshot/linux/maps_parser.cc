// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

bool is_header(std::string_view line) {
  // Attribute lines of smaps begin with a capital letter, mappings with a lower-case hex digit.
  const char first = line.empty() ? '\0' : line.front();
  return (first >= '0' && first <= '9') || (first >= 'a' && first <= 'f');
}

/// "55ab12e48000-55ab12e4d000 r-xp 00002000 fe:00 247134      /usr/bin/cat"
bool parse_header(std::string_view line, Region& region) {
  std::string_view range = text::next_word(line);
  const auto begin = text::number<std::uint64_t>(text::next_field(range, '-'), 16);
  const auto end = text::number<std::uint64_t>(range, 16);
  const std::string_view access = text::next_word(line);
  const auto offset = text::number<std::uint64_t>(text::next_word(line), 16);
  std::string_view device = text::next_word(line);
  const auto major = text::number<std::uint32_t>(text::next_field(device, ':'), 16);
  const auto minor = text::number<std::uint32_t>(device, 16);
  const auto inode = text::number<std::uint64_t>(text::next_word(line));
  if (!begin || !end || *end <= *begin || access.size() != 4 || !offset || !major || !minor ||
      !inode) {
    return false;
  }
  region.range = {{*begin}, *end - *begin};
  region.access = {access[0] == 'r', access[1] == 'w', access[2] == 'x'};
  region.sharing = access[3] == 's' ? Sharing::shared : Sharing::private_copy;
  region.file_offset = *offset;
  region.device_major = *major;
  region.device_minor = *minor;
  region.inode = *inode;
  // The name begins after the padding and runs to the end of the line: it may hold blanks, also at
  // its end.
  const std::size_t name = line.find_first_not_of(' ');
  if (name != std::string_view::npos) {
    region.path = text::unescape_octal(line.substr(name), '\n');
    if (region.path.front() != '[' && region.path.ends_with(kDeleted)) {
      region.path.resize(region.path.size() - kDeleted.size());
      region.deleted = true;
    }
  }
  return true;
}

/// True for a name that the kernel gives to a mapping without a file.
bool is_special_name(const Region& region) {
  return region.inode == 0 && region.path.starts_with('[');
}

bool is_device_node(const Region& region) {
  return region.path.starts_with("/dev/") && !region.path.starts_with("/dev/shm/") &&
         !region.path.starts_with("/dev/hugepages") && region.path != "/dev/zero";
}

Backing classify(const Region& region, bool flags_known) {
  const std::string_view path = region.path;
  const bool shared = region.sharing == Sharing::shared;
  if (is_special_name(region)) {
    if (path == "[vdso]") return Backing::vdso;
    if (path.starts_with("[vvar")) return Backing::vvar;  // "[vvar_vclock]" since 6.13
    if (path == "[vsyscall]") return Backing::vsyscall;
  }
  if (region.traits.io || region.traits.pfn_map) return Backing::device;
  if (path.empty()) return Backing::anonymous;
  if (is_special_name(region)) {
    // Shared anonymous memory with a name (PR_SET_VMA_ANON_NAME) shows no file: mm/madvise.c.
    return path.starts_with("[anon_shmem:") ? Backing::shared_memory : Backing::anonymous;
  }
  const bool huge_anonymous = path == "/anon_hugepage" && region.deleted;
  if (!shared && (huge_anonymous || (path == "/dev/zero" && !region.deleted))) {
    // drivers/char/mem.c mmap_zero(): a private mapping of /dev/zero is anonymous memory.
    return Backing::anonymous;
  }
  if (path.starts_with("/memfd:") || (path == "/dev/zero" && region.deleted) || huge_anonymous ||
      (region.deleted && (path.starts_with("/SYSV") || path.starts_with("/dev/shm/") ||
                          path == "/[aio]" || path == "/secretmem"))) {
    return Backing::shared_memory;
  }
  // Rings of io_uring, perf and the like: memory of the kernel behind an inode without a name.
  if (path.starts_with("anon_inode:")) return Backing::shared_memory;
  if (!flags_known && is_device_node(region)) return Backing::device;
  return Backing::file;
}

void parse_flags(std::string_view flags, RegionTraits& traits, MappingDetail& detail) {
  for (std::string_view flag; !(flag = text::next_word(flags)).empty();) {
    if (flag.size() != 2) continue;
    switch (flag[0] << 8 | flag[1]) {
      case 'd' << 8 | 'd':
        traits.dont_dump = true;
        break;
      case 'd' << 8 | 'c':
        traits.dont_fork = true;
        break;
      case 'w' << 8 | 'f':
        traits.wipe_on_fork = true;
        break;
      case 'd' << 8 | 'p':
        traits.droppable = true;
        break;
      case 'i' << 8 | 'o':
        traits.io = true;
        break;
      case 'p' << 8 | 'f':
        traits.pfn_map = true;
        break;
      case 'h' << 8 | 't':
        traits.huge_tlb = true;
        break;
      case 's' << 8 | 'l':
        traits.sealed = true;
        break;
      case 'g' << 8 | 'd':
        traits.stack = true;
        break;
      case 'u' << 8 | 'm':
        traits.userfault_missing = true;
        [[fallthrough]];
      case 'u' << 8 | 'w':
      case 'u' << 8 | 'i':
        traits.userfault = true;
        break;
      case 'g' << 8 | 'u':
        traits.guard = true;
        break;
      case 'a' << 8 | 'c':
        traits.accountable = true;
        break;
      case 's' << 8 | 's':
        detail.shadow_stack = true;
        break;
      default:
        break;  // of no consequence to a copy, or younger than this program
    }
  }
}

void parse_attribute(std::string_view line, Region& region, MappingDetail& detail) {
  const std::string_view key = text::next_field(line, ':');
  const auto value = [&] { return text::kilobytes(line).value_or(0); };
  // 25 of these lines stand behind every mapping; the first letter tells most of them apart.
  switch (key.empty() ? '\0' : key.front()) {
    case 'R':
      if (key == "Rss") region.resident += value();
      break;
    case 'A':
      if (key == "Anonymous") region.anonymous = value();
      if (key == "AnonHugePages") region.anonymous_huge = value();
      break;
    case 'S':
      if (key == "Swap") region.swapped = value();
      if (key == "Shared_Hugetlb") detail.hugetlb += value();
      break;
    case 'P':
      if (key == "Private_Hugetlb") detail.hugetlb += value();
      break;
    case 'K':
      if (key == "KernelPageSize") detail.page_size = value();
      break;
    case 'L':
      if (key == "Locked") detail.locked = value();
      break;
    default:
      break;
  }
}

}  // namespace

void SmapsParser::end_mapping() {
  if (!std::exchange(open_, false)) return;
  Region& region = region_;
  region.resident += detail_.hugetlb;
  region.traits.secret = region.path == "/secretmem" && region.deleted;
  region.backing = classify(region, flags_known_);
  if (region.range.begin.value < floor_) {
    if (region.range.end() <= floor_) return;
    const std::uint64_t cut = floor_ - region.range.begin.value;
    region.range = {{floor_}, region.range.size - cut};
    if (region.inode != 0) region.file_offset += cut;
  }
  floor_ = region.range.end();
  smaps_.regions.push_back(std::move(region));
  smaps_.details.push_back(detail_);
}

Result<> SmapsParser::take_line(std::string_view line) {
  constexpr std::string_view kFlags = "VmFlags:";
  ++line_number_;
  if (is_header(line)) {
    end_mapping();
    region_ = {};
    detail_ = {};
    flags_known_ = false;
    if (!parse_header(line, region_)) {
      return fail(Errc::malformed, "parse maps: mapping", std::to_string(line_number_));
    }
    open_ = true;
  } else if (open_ && line.starts_with(kFlags)) {
    flags_known_ = true;
    parse_flags(line.substr(kFlags.size()), region_.traits, detail_);
  } else if (open_ && line.find(':') != std::string_view::npos) {
    parse_attribute(line, region_, detail_);
  } else {
    return fail(Errc::malformed, "parse maps: line", std::to_string(line_number_));
  }
  return {};
}

Result<> SmapsParser::feed(std::string_view piece) {
  // A name is at most PATH_MAX bytes, each of them four when escaped.
  constexpr std::size_t kLongestLine = 64 << 10;
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view line = piece.substr(0, end);
    if (carry_.size() + line.size() > kLongestLine) {
      return fail(Errc::malformed, "parse maps: long line", std::to_string(line_number_ + 1));
    }
    if (end == std::string_view::npos) {
      carry_ += line;
      return {};
    }
    if (carry_.empty()) {
      DOPPEL_TRY(take_line(line));
    } else {
      carry_ += line;
      DOPPEL_TRY(take_line(carry_));
      carry_.clear();
    }
    piece.remove_prefix(end + 1);
  }
  return {};
}

Result<Smaps> SmapsParser::finish() {
  if (!carry_.empty()) DOPPEL_TRY(take_line(std::exchange(carry_, {})));
  end_mapping();
  return std::move(smaps_);
}

Result<Smaps> parse_smaps(std::string_view text) {
  SmapsParser parser;
  DOPPEL_TRY(parser.feed(text));
  return parser.finish();
}

Result<std::vector<Region>> parse_maps(std::string_view text) {
  Smaps smaps = DOPPEL_TRY(parse_smaps(text));
  return std::move(smaps.regions);
}

}  // namespace doppel

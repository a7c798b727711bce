// SPDX-License-Identifier: Apache-2.0
//
// Files: who may open what beside whom, byte-range locks, deletion, names, waits.
#include <array>

#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveFileSpec : public ExecutiveSpec {};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveFileSpec, ::testing::Values(1, 2, 3));

/// One of the 64 ways to open: three rights, three permissions.
struct Way {
  bool reads = false, writes = false, deletes = false;
  bool shares_read = false, shares_write = false, shares_delete = false;

  explicit Way(unsigned bits)
      : reads(bits & 1),
        writes(bits & 2),
        deletes(bits & 4),
        shares_read(bits & 8),
        shares_write(bits & 16),
        shares_delete(bits & 32) {}

  AccessMask rights() const {
    return access::synchronize | (reads ? file_access::read_data : 0) |
           (writes ? file_access::write_data : 0) | (deletes ? access::delete_object : 0);
  }

  std::uint32_t share() const {
    return (shares_read ? 1u : 0u) | (shares_write ? 2u : 0u) | (shares_delete ? 4u : 0u);
  }

  bool counts() const { return reads || writes || deletes; }

  /// What the documentation says in words: whatever one does the other must permit.
  static bool together(const Way& a, const Way& b) {
    if (!a.counts() || !b.counts()) return true;
    const auto permits = [](const Way& does, const Way& other) {
      return (!does.reads || other.shares_read) && (!does.writes || other.shares_write) &&
             (!does.deletes || other.shares_delete);
    };
    return permits(a, b) && permits(b, a);
  }
};

TEST_P(ExecutiveFileSpec, T51_share_table) {
  executive->files().install("file", std::vector<std::byte>(16));
  HostActor other(*executive, "other");
  for (unsigned a = 0; a < 64; ++a) {
    const Way first(a);
    HandleValue held = 0;
    ASSERT_EQ(open_file(nt(), "file", first.rights(), first.share(), FileDisposition::open, held),
              status::success);
    for (unsigned b = 0; b < 64; ++b) {
      const Way second(b);
      HandleValue handle = 0;
      const NtStatus opened = open_file(other.nt(), "FILE", second.rights(), second.share(),
                                        FileDisposition::open, handle);
      EXPECT_EQ(opened, Way::together(first, second) ? status::success : status::sharing_violation)
          << a << " then " << b;
      if (opened.succeeded()) {
        ASSERT_EQ(other.nt().close(handle), status::success);
      }
    }
    ASSERT_EQ(nt().close(held), status::success);
  }
}

TEST_P(ExecutiveFileSpec, locks) {
  executive->files().install("file", std::vector<std::byte>(64));
  HandleValue a = 0, b = 0;
  const AccessMask both = access::generic_read | access::generic_write;
  ASSERT_EQ(open_file(nt(), "file", both, 7, FileDisposition::open, a), status::success);
  ASSERT_EQ(open_file(nt(), "file", both, 7, FileDisposition::open, b), status::success);
  ASSERT_EQ(nt().lock_file(a, 8, 8, 0, true, true), status::success);
  EXPECT_EQ(nt().lock_file(b, 15, 1, 0, true, false), status::lock_not_granted);
  EXPECT_EQ(nt().lock_file(b, 16, 8, 0, true, false), status::success);
  std::array<std::byte, 8> bytes{};
  Information done = 0;
  EXPECT_EQ(nt().read_file(a, bytes, 8, 0, done), status::success);
  EXPECT_EQ(nt().read_file(b, bytes, 8, 0, done), status::file_lock_conflict)
      << "another file object of the same process is a stranger";
  EXPECT_EQ(nt().read_file(a, bytes, 8, 1, done), status::file_lock_conflict) << "another key";
  EXPECT_EQ(nt().read_file(a, bytes, 16, 0, done), status::success) << "a shared lock";
  EXPECT_EQ(nt().write_file(b, bytes, 16, 0, done), status::file_lock_conflict)
      << "nobody writes under a shared lock";
  EXPECT_EQ(nt().unlock_file(a, 8, 7, 0), status::range_not_locked);
  EXPECT_EQ(nt().unlock_file(b, 8, 8, 0), status::range_not_locked);
  EXPECT_EQ(nt().unlock_file(a, 8, 8, 0), status::success);
  ASSERT_EQ(nt().lock_file(a, 0, 4, 0, true, true), status::success);
  ASSERT_EQ(nt().close(a), status::success);
  EXPECT_EQ(nt().lock_file(b, 0, 4, 0, true, true), status::success) << "locks go with the handle";
}

TEST_P(ExecutiveFileSpec, content_and_end) {
  HandleValue file = 0;
  ASSERT_EQ(open_file(nt(), "new", access::generic_read | access::generic_write, 0,
                      FileDisposition::open, file),
            status::object_name_not_found);
  ASSERT_EQ(open_file(nt(), "new", access::generic_read | access::generic_write, 0,
                      FileDisposition::open_if, file),
            status::success);
  const std::array<std::byte, 3> written{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 8> bytes{};
  Information done = 0;
  EXPECT_EQ(nt().read_file(file, bytes, 0, 0, done), status::end_of_file);
  EXPECT_EQ(nt().write_file(file, written, std::nullopt, 0, done), status::success);
  EXPECT_EQ(nt().write_file(file, written, std::nullopt, 0, done), status::success);
  EXPECT_EQ(nt().read_file(file, bytes, 2, 0, done), status::success);
  EXPECT_EQ(done, 4u);
  EXPECT_EQ(bytes[1], std::byte{1});
  FileStandardInformation standard;
  std::uint32_t length = 0;
  EXPECT_EQ(
      nt().query_information_file(file, 5, std::as_writable_bytes(std::span(&standard, 1)), length),
      status::success);
  EXPECT_EQ(standard.end_of_file, 6u);
  const std::uint64_t beyond = executive->options().disk_bytes;
  EXPECT_EQ(nt().write_file(file, written, beyond, 0, done), status::disk_full);
}

TEST_P(ExecutiveFileSpec, rights_are_those_of_the_handle) {
  executive->files().install("file", std::vector<std::byte>(16));
  HandleValue file = 0, more = 0;
  ASSERT_EQ(open_file(nt(), "file", access::generic_read, 7, FileDisposition::open, file),
            status::success);
  std::array<std::byte, 1> byte{};
  Information done = 0;
  EXPECT_EQ(nt().write_file(file, byte, 0, 0, done), status::access_denied);
  EXPECT_EQ(nt().duplicate_object(kCurrentProcess, file, kCurrentProcess, more,
                                  file_access::write_data, 0, 0),
            status::access_denied)
      << "a file gives no right by duplication";
  EXPECT_EQ(nt().set_information_file(file, 13, byte), status::access_denied);
}

TEST_P(ExecutiveFileSpec, names) {
  HandleValue event = 0, again = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003, named("\\BaseNamedObjects\\e"), 0, false),
            status::success);
  EXPECT_EQ(nt().create_event(again, 0x1F0003, named("\\BaseNamedObjects\\E"), 0, false),
            status::object_name_collision);
  EXPECT_EQ(nt().create_event(again, 0x1F0003,
                              named("\\BaseNamedObjects\\e", object_attribute::open_if), 0, false),
            status::object_name_exists);
  EXPECT_EQ(nt().close(again), status::success);
  EXPECT_EQ(nt().create_mutant(again, 0x1F0001,
                               named("\\BaseNamedObjects\\e", object_attribute::open_if), false),
            status::object_type_mismatch);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, named("BaseNamedObjects\\e")),
            status::object_path_syntax_bad);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, named("\\Nowhere\\e")), status::object_path_not_found);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, named("\\BaseNamedObjects\\\\e")),
            status::object_name_invalid);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, named("\\BaseNamedObjects\\f")),
            status::object_name_not_found);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, {.name = "\\BaseNamedObjects\\E"}),
            status::object_name_not_found)
      << "with case";
  EXPECT_EQ(nt().close(event), status::success);
  EXPECT_EQ(nt().open_event(again, 0x1F0003, named("\\BaseNamedObjects\\e")),
            status::object_name_not_found)
      << "a name goes with the last handle";
}

TEST_P(ExecutiveFileSpec, exclusive_objects_stay_with_their_process) {
  install("counter.exe");
  HandleValue event = 0, other_event = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003,
                              named("\\BaseNamedObjects\\mine",
                                    object_attribute::exclusive | object_attribute::inherit),
                              0, false),
            status::success);
  EXPECT_EQ(nt().open_event(other_event, 0x1F0003, named("\\BaseNamedObjects\\mine")),
            status::success);
  HostActor other(*executive, "other");
  EXPECT_EQ(other.nt().open_event(other_event, 0x1F0003, named("\\BaseNamedObjects\\mine")),
            status::access_denied);
  const HandleValue child = create_from_section("counter.exe", true);
  EXPECT_EQ(process_of(child).handles.count(), 0u);
  EXPECT_EQ(nt().duplicate_object(kCurrentProcess, event, child, other_event, 0, 0,
                                  duplicate_option::same_access),
            status::access_denied);
}

TEST_P(ExecutiveFileSpec, a_new_file_has_the_descriptor_that_was_given) {
  ObjectAttributes object = file_name("secret");
  object.security = SecurityDescriptor{.owner = "S-1-5-18", .dacl = std::vector<AccessEntry>{}};
  HandleValue file = 0;
  Information information = 0;
  ASSERT_EQ(nt().create_file(file,
                             {.desired = access::generic_write,
                              .object = object,
                              .share = 7,
                              .disposition = FileDisposition::create},
                             information),
            status::success)
      << "who makes it gets what it asks for";
  HandleValue again = 0;
  EXPECT_EQ(open_file(nt(), "secret", access::generic_read, 7, FileDisposition::open, again),
            status::access_denied);
}

TEST_P(ExecutiveFileSpec, waits) {
  HandleValue event = 0, mutant = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 1, true), status::success);
  EXPECT_EQ(nt().wait_for_single_object(event, 0), status::success);
  EXPECT_EQ(nt().wait_for_single_object(event, 0), status::timeout) << "it resets itself";
  const std::uint64_t before = executive->now();
  EXPECT_EQ(nt().wait_for_single_object(event, -1000), status::timeout);
  EXPECT_GE(executive->now(), before + 1000);
  EXPECT_EQ(wait(event), status::unsuccessful) << "nobody is left who could set it";
  ASSERT_EQ(nt().create_mutant(mutant, 0x1F0001, named("\\BaseNamedObjects\\m"), true),
            status::success);
  EXPECT_EQ(nt().wait_for_single_object(mutant, 0), status::success) << "once more by its owner";
  std::int32_t previous = 0;
  {
    HostActor other(*executive, "other");
    HandleValue theirs = 0;
    ASSERT_EQ(other.nt().open_mutant(theirs, 0x1F0001, named("\\BaseNamedObjects\\m")),
              status::success);
    EXPECT_EQ(other.nt().wait_for_single_object(theirs, 0), status::timeout);
    EXPECT_EQ(other.nt().release_mutant(theirs, previous), status::mutant_not_owned);
    EXPECT_EQ(nt().release_mutant(mutant, previous), status::success);
    EXPECT_EQ(nt().release_mutant(mutant, previous), status::success);
    EXPECT_EQ(other.nt().wait_for_single_object(theirs, 0), status::success);
  }
  EXPECT_EQ(nt().wait_for_single_object(mutant, 0), status::abandoned_wait_0);
  HandleValue section = 0;
  ASSERT_EQ(
      nt().create_section(section, access::maximum_allowed, {}, 1, page::readwrite, sec::commit, 0),
      status::success);
  EXPECT_EQ(nt().wait_for_single_object(section, 0), status::access_denied)
      << "a section has no SYNCHRONIZE to give";
}

TEST_P(ExecutiveFileSpec, order_of_reference_checks) {
  HandleValue event = 0;
  ASSERT_EQ(nt().create_event(event, 1, {}, 0, false), status::success);
  std::uint32_t previous = 0;
  EXPECT_EQ(nt().set_event(0x4444, previous), status::invalid_handle);
  EXPECT_EQ(nt().set_event(~HandleValue{4}, previous), status::invalid_handle);
  EXPECT_EQ(nt().set_event(kCurrentProcess, previous), status::object_type_mismatch);
  EXPECT_EQ(nt().suspend_process(event), status::object_type_mismatch) << "type before rights";
  EXPECT_EQ(nt().set_event(event, previous), status::access_denied);
  EXPECT_EQ(nt().set_event(event + 3, previous), status::access_denied)
      << "the low two bits do not count";
}

TEST_P(ExecutiveFileSpec, closing_by_duplication) {
  HandleValue event = 0, made = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 0, false), status::success);
  EXPECT_EQ(nt().duplicate_object(kCurrentProcess, event, 0, made, 0, 0, 0),
            status::invalid_parameter);
  EXPECT_EQ(nt().duplicate_object(kCurrentProcess, event, kCurrentProcess, made, 0x2, 0,
                                  duplicate_option::close_source),
            status::success);
  EXPECT_EQ(nt().close(event), event == made ? status::success : status::invalid_handle);
}

}  // namespace
}  // namespace doppel

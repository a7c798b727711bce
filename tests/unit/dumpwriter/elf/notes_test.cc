// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/elf/note_types.h>
#include <dumpwriter/elf/notes.h>
#include <tests/support/core_view.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// Owner and type of each note; the bytes live in `storage`.
std::vector<std::pair<std::string, std::uint32_t>> order(const ProcessImage& image,
                                                         std::vector<std::byte>& storage) {
  Result<std::vector<std::byte>> notes = make_notes(image, {});
  EXPECT_TRUE(notes.has_value());
  storage = std::move(*notes);
  std::vector<std::pair<std::string, std::uint32_t>> result;
  for (const NoteView& note : parse_notes(storage)) result.emplace_back(note.owner, note.type);
  return result;
}

TEST(Notes, OrderIsTheKernels) {
  ImageBuilder builder;
  builder.thread(4711).thread(4712).verbatim("auxv", std::vector<std::byte>(32));
  CpuContext& first = builder.image().threads[0].registers;
  first.xsave.resize(832);
  first.io_bitmap.resize(8);
  first.shadow_stack_pointer = 0x7000;
  CpuContext& second = builder.image().threads[1].registers;
  second.xsave.resize(832);
  std::vector<std::byte> storage;
  EXPECT_THAT(
      order(builder.build(), storage),
      ElementsAre(Pair("CORE", NT_PRSTATUS), Pair("CORE", NT_PRPSINFO), Pair("CORE", NT_SIGINFO),
                  Pair("CORE", NT_AUXV), Pair("CORE", NT_FILE), Pair("CORE", NT_PRFPREG),
                  Pair("LINUX", NT_X86_XSTATE), Pair("LINUX", NT_386_IOPERM), Pair("LINUX", 0x204),
                  Pair("CORE", NT_PRSTATUS), Pair("CORE", NT_PRFPREG), Pair("LINUX", NT_X86_XSTATE),
                  Pair("DOPPEL", note_type::kManifest), Pair("DOPPEL", note_type::kHandles)));
  EXPECT_EQ(parse_notes(storage)[8].descriptor.size(), 8u);
  EXPECT_EQ(read_at<std::uint64_t>(parse_notes(storage)[8].descriptor, 0), 0x7000u);
}

TEST(Notes, WhatIsUnknownHasNoNote) {
  ImageBuilder builder;
  builder.thread(4711);
  builder.image().threads[0].registers.fxsave.clear();
  std::vector<std::byte> storage;
  EXPECT_THAT(
      order(builder.build(), storage),
      ElementsAre(Pair("CORE", NT_PRSTATUS), Pair("CORE", NT_PRPSINFO), Pair("CORE", NT_SIGINFO),
                  Pair("CORE", NT_FILE), Pair("DOPPEL", note_type::kManifest),
                  Pair("DOPPEL", note_type::kHandles)));
  // And pr_fpvalid, the word at 328, says so.
  EXPECT_EQ(read_at<std::uint32_t>(parse_notes(storage)[0].descriptor, 328), 0u);
}

TEST(Notes, XsaveLayoutWhereTheEngineKnowsIt) {
  ImageBuilder builder;
  builder.thread(4711).verbatim("xsave_layout", std::vector<std::byte>(64, std::byte{3}));
  std::vector<std::byte> storage;
  EXPECT_THAT(order(builder.build(), storage), testing::Contains(Pair("LINUX", 0x205)));
}

TEST(Notes, ThreadThatFaultedComesFirstWithItsSiginfo) {
  ImageBuilder builder;
  builder.thread(4711).thread(4712).thread(4713);
  builder.image().threads[0].siginfo.assign(128, std::byte{9});
  builder.image().fault =
      Fault{.thread = 4713, .number = 11, .code = 2, .address = Address{0x18}, .siginfo = {}};
  std::vector<std::byte> storage;
  order(builder.build(), storage);
  std::vector<std::uint32_t> tids;
  std::vector<NoteView> siginfos;
  for (const NoteView& note : parse_notes(storage)) {
    if (note.type == NT_PRSTATUS && note.owner == "CORE") {
      tids.push_back(read_at<std::uint32_t>(note.descriptor, 32));
    }
    if (note.type == NT_SIGINFO) siginfos.push_back(note);
  }
  EXPECT_THAT(tids, ElementsAre(19u, 17u, 18u));
  ASSERT_EQ(siginfos.size(), 2u);
  ASSERT_EQ(siginfos[0].descriptor.size(), 128u);
  EXPECT_EQ(read_at<std::uint32_t>(siginfos[0].descriptor, 0), 11u);
  EXPECT_EQ(read_at<std::uint32_t>(siginfos[0].descriptor, 8), 2u);
  EXPECT_EQ(read_at<std::uint64_t>(siginfos[0].descriptor, 16), 0x18u);
  EXPECT_EQ(siginfos[1].descriptor[5], std::byte{9});
}

TEST(Notes, NoSignalIsAllZero) {
  ImageBuilder builder;
  std::vector<std::byte> storage;
  order(builder.build(), storage);
  const NoteView siginfo = parse_notes(storage)[2];
  ASSERT_EQ(siginfo.descriptor.size(), 128u);
  for (const std::byte each : siginfo.descriptor) EXPECT_EQ(each, std::byte{0});
}

TEST(FileNote, FilesOnlyInAddressOrderOffsetsInPages) {
  Region deleted = file_region(0x30000, 0x2000, "/lib/old.so", 0x5000);
  deleted.deleted = true;
  Region device = file_region(0x40000, 0x1000, "/dev/dri/card0");
  device.backing = Backing::device;
  Region label = shared_region(0x50000, 0x1000);
  label.path = "[anon_shmem:x]";
  Region vdso = anonymous_region(0x60000, 0x1000, "[vdso]");
  vdso.backing = Backing::vdso;
  const ProcessImage image = ImageBuilder()
                                 .region(file_region(0x10000, 0x1000, "/bin/a b\nc"))
                                 .region(anonymous_region(0x20000, 0x1000, "[heap]"))
                                 .region(deleted)
                                 .region(device)
                                 .region(label)
                                 .region(vdso)
                                 .region(shared_region(0x70000, 0x1000))
                                 .build();
  const std::vector<std::byte> note = make_file_note(image.regions);
  EXPECT_EQ(read_at<std::uint64_t>(note, 0), 4u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 8), 4096u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 16), 0x10000u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 24), 0x11000u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 32), 0u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 40), 0x30000u);
  EXPECT_EQ(read_at<std::uint64_t>(note, 56), 5u);
  const std::string names(reinterpret_cast<const char*>(note.data()) + 16 + 4 * 24,
                          note.size() - 16 - 4 * 24);
  EXPECT_EQ(names, std::string("/bin/a b\nc\0/lib/old.so (deleted)\0/dev/dri/card0\0"
                               "/memfd:cache (deleted)\0",
                               71));
}

}  // namespace
}  // namespace doppel

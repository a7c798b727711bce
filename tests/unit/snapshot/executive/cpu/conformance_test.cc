// SPDX-License-Identifier: Apache-2.0
//
// The guest CPU against the real processor: the same bytes, registers and memory, one step each,
// and everything that the architecture defines must be equal. The bytes come from a table of
// opcodes with random operands and from the compiled guests.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include "flat_memory.h"
#include "real_processor.h"

#include <snapshot/executive/cpu/cpu.h>

namespace doppel {
namespace {

constexpr std::uint64_t kCode = RealProcessor::kCode, kData = RealProcessor::kData;
constexpr std::uint64_t kPlain =
    RealProcessor::kDataSize - kGuestPageSize;  ///< bytes that may be written
constexpr std::uint32_t kCompared = kStatusFlags | kDirectionFlag;

using Bytes = std::array<std::byte, 15>;

bool is_exchange(Operation of) {
  return of == Operation::xchg || of == Operation::xadd || of == Operation::cmpxchg;
}

class Conformance : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(real_.ok()) << "no traced child here";
    memory_.map(kCode, RealProcessor::kCodeSize, false, true);
    memory_.map(kData, kPlain, true, false);
    memory_.map(kData + kPlain, kGuestPageSize, false, false);
    for (std::size_t i = 0; i < RealProcessor::kDataSize; i += 8) put_data(i, random_());
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void put_data(std::uint64_t offset, std::uint64_t value) {
    std::memcpy(real_.data().data() + offset, &value, 8);
    memory_.poke(kData + offset, {reinterpret_cast<const std::byte*>(&value), 8});
  }

  std::uint64_t interesting() {
    static constexpr std::uint64_t kEdges[] = {0,
                                               1,
                                               2,
                                               0x7f,
                                               0x80,
                                               0xff,
                                               0x7fff,
                                               0x8000,
                                               0xffff,
                                               0x7fffffff,
                                               0x80000000,
                                               0xffffffff,
                                               0x7fffffffffffffff,
                                               0x8000000000000000,
                                               0xffffffffffffffff};
    switch (below(4)) {
      case 0:
        return kEdges[below(std::size(kEdges))];
      case 1:
        return random_() >> below(64);
      default:
        return random_();
    }
  }

  /// Gives registers, memory and the instruction's displacement such values that the operands are
  /// where data is.
  void prepare(Bytes& bytes, const ZydisDecodedInstruction& decoded, const Instruction& ours,
               GuestRegisters& registers) {
    for (auto& general : registers.general) general = interesting();
    registers.general[kRsp] = kData + 0x800 + below(0x200) * 8;
    registers.flags = 0x202 | (static_cast<std::uint32_t>(random_()) & kCompared);
    registers.gs_base = 0x1000;
    if (below(32) == 0) return;  // as it comes: mostly faults
    const bool string = ours.operation >= Operation::movs && ours.operation <= Operation::cmps;
    if (string) {
      registers.general[kRsi] = kData + below(kPlain - 16);
      registers.general[kRdi] = kData + below(kPlain - 16);
      registers.general[kRcx] = below(4);
      if (below(2) == 0) put_data(registers.general[kRdi] - kData, registers.general[kRax]);
    }
    if (ours.operation == Operation::leave) registers.general[kRbp] = kData + below(kPlain - 16);
    if (ours.operation == Operation::div || ours.operation == Operation::idiv)
      if (below(2) == 0) registers.general[kRdx] = below(2) == 0 ? 0 : ~std::uint64_t{0};
    for (const Operand& operand : ours.operands) {
      if (operand.kind != Operand::Kind::memory) continue;
      std::uint64_t target = kData + (below(16) == 0 ? kPlain : 0x400) +
                             below(kGuestPageSize - 0x100) +
                             (below(16) == 0 ? kGuestPageSize - 4 : 0);
      if (target > kData + RealProcessor::kDataSize - 0x100) target = kData + kPlain + 8;
      // An atomic access across a cache line may be punished by the kernel (split lock detection).
      if (is_exchange(ours.operation) || (decoded.attributes & ZYDIS_ATTRIB_HAS_LOCK))
        target &= ~std::uint64_t{7};
      std::uint64_t rest = target - (operand.gs ? registers.gs_base : 0);
      if (operand.index != kNoRegister && operand.index != operand.base) {
        registers.general[operand.index] = below(16);
        rest -= registers.general[operand.index] * operand.scale;
      }
      if (operand.base == kInstructionPointer) {
        const auto distance = static_cast<std::int32_t>(rest - registers.rip - ours.length);
        std::memcpy(bytes.data() + decoded.raw.disp.offset, &distance, 4);
      } else if (operand.base != kNoRegister) {
        registers.general[operand.base] = rest - static_cast<std::uint64_t>(operand.value);
      } else {
        std::memcpy(bytes.data() + decoded.raw.disp.offset, &rest, decoded.raw.disp.size / 8);
      }
      if (ours.operation == Operation::jmp || ours.operation == Operation::call)
        put_data(std::min(target - kData, RealProcessor::kDataSize - 8), random_() >> 18);
    }
    const Operand& bit = ours.operands[1];
    if (ours.operation >= Operation::bt && ours.operation <= Operation::btc &&
        bit.kind == Operand::Kind::reg && ours.operands[0].kind == Operand::Kind::memory &&
        bit.reg != ours.operands[0].base && bit.reg != ours.operands[0].index)
      registers.general[bit.reg] = below(512) - 256;
    if (ours.operation == Operation::ret)
      put_data(registers.general[kRsp] - kData, random_() >> 18);
    if ((ours.operation == Operation::jmp || ours.operation == Operation::call) &&
        ours.operands[0].kind == Operand::Kind::reg && ours.operands[0].reg != kRsp)
      registers.general[ours.operands[0].reg] = random_() >> 18;
    if (ours.operation == Operation::cmpxchg && ours.operands[0].kind == Operand::Kind::reg &&
        below(2) == 0)
      registers.general[kRax] = registers.general[ours.operands[0].reg];
  }

  /// The flags that the manual leaves undefined for this instruction and these operands.
  static std::uint32_t undefined_flags(const Instruction& of, const GuestRegisters& before) {
    const auto count_of = [&](unsigned index) {
      const Operand& operand = of.operands[index];
      const std::uint64_t raw = operand.kind == Operand::Kind::immediate
                                    ? static_cast<std::uint64_t>(operand.value)
                                    : before.general[kRcx];
      return raw & (of.operands[0].size == 8 ? 63 : 31);
    };
    switch (of.operation) {
      case Operation::bit_and:
      case Operation::bit_or:
      case Operation::bit_xor:
      case Operation::test:
        return kAdjustFlag;
      case Operation::shl:
      case Operation::shr:
      case Operation::sar: {
        const std::uint64_t count = count_of(1);
        if (count == 0) return 0;
        std::uint32_t flags = kAdjustFlag | (count > 1 ? kOverflowFlag : 0);
        if (count >= of.operands[0].size * 8u) flags |= kCarryFlag;
        return flags;
      }
      case Operation::shld:
      case Operation::shrd: {
        const std::uint64_t count = count_of(2);
        return count == 0 ? 0 : kAdjustFlag | (count > 1 ? kOverflowFlag : 0);
      }
      case Operation::rol:
      case Operation::ror:
      case Operation::rcl:
      case Operation::rcr:
        return count_of(1) > 1 ? kOverflowFlag : 0;
      case Operation::mul:
      case Operation::imul:
      case Operation::imul_wide:
        return kSignFlag | kZeroFlag | kAdjustFlag | kParityFlag;
      case Operation::div:
      case Operation::idiv:
        return kStatusFlags;
      case Operation::bt:
      case Operation::bts:
      case Operation::btr:
      case Operation::btc:
        return kOverflowFlag | kSignFlag | kAdjustFlag | kParityFlag;
      case Operation::bsf:
      case Operation::bsr:
        return kStatusFlags & ~kZeroFlag;
      case Operation::tzcnt:
      case Operation::lzcnt:
        return kOverflowFlag | kSignFlag | kAdjustFlag | kParityFlag;
      default:
        return 0;
    }
  }

  static bool result_undefined(const Instruction& of, const GuestRegisters& before) {
    if (of.operation == Operation::bswap) return of.operands[0].size == 2;
    if ((of.operation == Operation::shld || of.operation == Operation::shrd) &&
        of.operands[0].size == 2) {
      const Operand& count = of.operands[2];
      return ((count.kind == Operand::Kind::immediate ? static_cast<std::uint64_t>(count.value)
                                                      : before.general[kRcx]) &
              31) > 16;
    }
    return false;
  }

  /// One case. False: the bytes are not for this test (outside the subset, or with effects outside
  /// the child).
  bool compare(Bytes bytes) {
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &decoded, operands)))
      return false;
    bool truncated = false;
    const Instruction ours = decode_instruction(bytes, truncated);
    if (ours.operation == Operation::unsupported || ours.operation == Operation::syscall)
      return false;
    const bool branches = ours.operation >= Operation::jmp && ours.operation <= Operation::ret;
    // AMD and Intel differ in what 66h does to a near branch.
    if (branches && (decoded.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)) return false;

    GuestRegisters before;
    before.rip =
        kCode + (below(8) == 0 ? kGuestPageSize - below(ours.length + 1u) : 64 + below(256));
    prepare(bytes, decoded, ours, before);
    const Instruction final = decode_instruction(bytes, truncated);
    if (result_undefined(final, before)) return false;
    std::memcpy(real_.code().data() + (before.rip - kCode), bytes.data(), bytes.size());
    memory_.poke(before.rip, bytes);

    GuestRegisters expected = before;
    bool breakpoint = false;
    const int signal = real_.step(expected, breakpoint);
    EXPECT_NE(signal, 0);
    GuestRegisters got = before;
    GuestException exception;
    const StepKind kind = cpu_.step(got, memory_, exception);

    std::string text = instruction_text(bytes, before.rip) + " =";
    for (unsigned i = 0; i < ours.length; ++i) {
      static constexpr char kDigits[] = "0123456789abcdef";
      const auto byte = std::to_integer<unsigned>(bytes[i]);
      text += {' ', kDigits[byte / 16], kDigits[byte % 16]};
    }
    std::uint32_t flags = kCompared;
    std::uint32_t wanted_code = 0;
    switch (signal) {
      case SIGTRAP:
        if (breakpoint) {
          wanted_code = kGuestBreakpoint;
          expected.rip -= ours.length;  // prefixes too: registers stay as before
        }
        break;
      case SIGSEGV:
      case SIGBUS:
        wanted_code = kGuestAccessViolation;
        break;
      case SIGFPE:
        wanted_code = exception.code == kGuestIntegerOverflow ? kGuestIntegerOverflow
                                                              : kGuestIntegerDivideByZero;
        break;
      case SIGILL:
        wanted_code = kGuestIllegalInstruction;
        break;
      default:
        ADD_FAILURE() << text << ": signal " << signal;
        break;
    }
    const bool raised = kind == StepKind::exception;
    EXPECT_EQ(raised ? exception.code : 0, wanted_code) << text;
    if (wanted_code == 0) flags &= ~undefined_flags(final, before);
    const bool nothing_found =
        (final.operation == Operation::bsf || final.operation == Operation::bsr) &&
        (expected.flags & kZeroFlag) != 0;
    if (nothing_found) got.general[final.operands[0].reg] = expected.general[final.operands[0].reg];
    // Addresses of 32 bits, and nothing done: processors may clear the upper halves all the same.
    const bool nothing_repeated = raised || (before.general[kRcx] & 0xffffffff) == 0;
    if (final.narrow_address && final.repeat != Instruction::Repeat::none && nothing_repeated)
      for (const unsigned number : {kRcx, kRsi, kRdi})
        if (expected.general[number] == (before.general[number] & 0xffffffff))
          got.general[number] = expected.general[number];
    EXPECT_EQ(got.general, expected.general) << text;
    EXPECT_EQ(got.rip, expected.rip) << text;
    EXPECT_EQ(got.flags & flags, expected.flags & flags)
        << text << " flags before " << before.flags;
    for (std::uint64_t offset = 0; offset < RealProcessor::kDataSize; offset += kGuestPageSize)
      EXPECT_EQ(std::memcmp(memory_.find(kData + offset)->bytes.data(),
                            real_.data().data() + offset, kGuestPageSize),
                0)
          << text << " page " << offset / kGuestPageSize;
    seen_.insert(final.operation);
    ++cases_;
    return true;
  }

  std::mt19937_64 random_{20240229};
  RealProcessor real_;
  FlatMemory memory_;
  Cpu cpu_;
  ZydisDecoder decoder_{};
  std::set<Operation> seen_;
  std::uint64_t cases_ = 0;
};

TEST_F(Conformance, EveryOpcodeWithRandomOperands) {
  const auto random_case = [&](int prefix, bool wide, bool escape, unsigned opcode) {
    Bytes bytes;
    for (auto& byte : bytes) byte = static_cast<std::byte>(random_());
    std::size_t at = 0;
    if (prefix >= 0) bytes[at++] = static_cast<std::byte>(prefix);
    if (wide) bytes[at++] = static_cast<std::byte>(0x40 + below(16));
    if (escape) bytes[at++] = std::byte{0x0f};
    bytes[at] = static_cast<std::byte>(opcode);
    compare(bytes);
  };
  constexpr int kPrefixes[] = {-1, -1, 0x66, 0xf0, 0xf2, 0xf3, 0x65, 0x67};
  for (unsigned opcode = 0; opcode < 512; ++opcode)
    for (int round = 0; round < 300 && !HasFailure(); ++round)
      random_case(kPrefixes[below(std::size(kPrefixes))], round % 2 == 0, opcode >= 256,
                  opcode & 0xff);
  for (unsigned value = static_cast<unsigned>(Operation::mov);
       value < static_cast<unsigned>(Operation::ud2); ++value)
    EXPECT_TRUE(seen_.contains(static_cast<Operation>(value)))
        << "operation " << value << " never occurred";
  RecordProperty("cases", static_cast<int>(cases_));
}

std::uint32_t word(const std::vector<char>& file, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, file.data() + at, 4);
  return value;
}

/// The bytes of .text of a PE32+ that the build just made.
std::vector<std::byte> text_of(const std::filesystem::path& image) {
  std::ifstream stream(image, std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t header = word(file, 0x3c);
  const std::size_t sections = header + 24 + (word(file, header + 20) & 0xffff);
  EXPECT_EQ(std::memcmp(file.data() + sections, ".text", 6), 0) << image;
  const std::size_t size = std::min(word(file, sections + 8), word(file, sections + 16));
  const char* begin = file.data() + word(file, sections + 20);
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), begin, size);
  return bytes;
}

TEST_F(Conformance, EveryInstructionOfTheGuests) {
  std::set<std::string> done;
  std::size_t images = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DOPPEL_GUESTS_DIR)) {
    if (entry.path().extension() != ".exe") continue;
    ++images;
    const std::vector<std::byte> text = text_of(entry.path());
    for (std::size_t at = 0; at < text.size() && !HasFailure();) {
      bool truncated = false;
      const std::size_t left = std::min<std::size_t>(15, text.size() - at);
      const Instruction decoded = decode_instruction({text.data() + at, left}, truncated);
      ASSERT_NE(decoded.operation, Operation::unsupported)
          << entry.path() << " +" << at << ' ' << instruction_text({text.data() + at, left}, at);
      Bytes bytes{};
      std::memcpy(bytes.data(), text.data() + at, decoded.length);
      at += decoded.length;
      if (!done.insert(std::string(reinterpret_cast<const char*>(bytes.data()), decoded.length))
               .second)
        continue;
      for (int round = 0; round < 8; ++round) compare(bytes);
    }
  }
  EXPECT_EQ(images, 28u);
  EXPECT_GT(done.size(), 300u);
  RecordProperty("cases", static_cast<int>(cases_));
}

}  // namespace
}  // namespace doppel

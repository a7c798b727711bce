// SPDX-License-Identifier: Apache-2.0
//
// From Zydis to Instruction. The only file that knows Zydis: it decodes every instruction of the
// architecture, and here the integer subset is chosen. What is not chosen stays
// Operation::unsupported, never a guess.
#include <Zydis/Zydis.h>

#include <algorithm>

#include <snapshot/executive/cpu/instruction.h>

namespace doppel {
namespace {

const ZydisDecoder& decoder() {
  static const ZydisDecoder instance = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  return instance;
}

bool set_register(ZydisRegister name, Operand& operand) {
  switch (ZydisRegisterGetClass(name)) {
    case ZYDIS_REGCLASS_GPR8: {
      const int position =
          name - ZYDIS_REGISTER_AL;  // AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B..
      operand.high = position >= 4 && position < 8;
      operand.reg = static_cast<std::uint8_t>(position < 4 ? position : position - 4);
      operand.size = 1;
      return true;
    }
    case ZYDIS_REGCLASS_GPR16:
      operand.reg = static_cast<std::uint8_t>(name - ZYDIS_REGISTER_AX);
      operand.size = 2;
      return true;
    case ZYDIS_REGCLASS_GPR32:
      operand.reg = static_cast<std::uint8_t>(name - ZYDIS_REGISTER_EAX);
      operand.size = 4;
      return true;
    case ZYDIS_REGCLASS_GPR64:
      operand.reg = static_cast<std::uint8_t>(name - ZYDIS_REGISTER_RAX);
      operand.size = 8;
      return true;
    default:
      return false;
  }
}

/// Base or index of an address.
bool address_register(ZydisRegister name, std::uint8_t& number) {
  if (name == ZYDIS_REGISTER_NONE) return true;
  if (name == ZYDIS_REGISTER_RIP) {
    number = kInstructionPointer;
    return true;
  }
  Operand found;
  if (!set_register(name, found) || found.size < 4) return false;
  number = found.reg;
  return true;
}

/// Mod 0 with SIB base 5 is a displacement without a base, whatever REX.B says (SDM volume 2, table
/// 2-3); Zydis 4.0 names r13d there when addresses are 32 bits wide.
bool has_no_base(const ZydisDecodedInstruction& instruction) {
  return instruction.raw.modrm.mod == 0 && instruction.raw.modrm.rm == 4 &&
         instruction.raw.sib.base == 5;
}

bool set_operand(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand& from,
                 Operand& to) {
  to.size = static_cast<std::uint8_t>(from.size / 8);
  switch (from.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
      to.kind = Operand::Kind::reg;
      return set_register(from.reg.value, to);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
      to.kind = Operand::Kind::immediate;
      to.value = from.imm.value.s;
      return true;
    case ZYDIS_OPERAND_TYPE_MEMORY:
      to.kind = Operand::Kind::memory;
      to.gs = from.mem.segment == ZYDIS_REGISTER_GS;
      if (from.mem.segment == ZYDIS_REGISTER_FS) return false;
      to.scale = std::max<std::uint8_t>(from.mem.scale, 1);
      to.value = from.mem.disp.value;
      if (from.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && has_no_base(instruction)) {
        to.value = instruction.raw.disp.value;
        return address_register(from.mem.index, to.index);
      }
      return address_register(from.mem.base, to.base) && address_register(from.mem.index, to.index);
    default:
      return false;
  }
}

Operation string_operation(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_MOVSQ:
      return Operation::movs;
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_STOSQ:
      return Operation::stos;
    case ZYDIS_MNEMONIC_LODSB:
    case ZYDIS_MNEMONIC_LODSW:
    case ZYDIS_MNEMONIC_LODSD:
    case ZYDIS_MNEMONIC_LODSQ:
      return Operation::lods;
    case ZYDIS_MNEMONIC_SCASB:
    case ZYDIS_MNEMONIC_SCASW:
    case ZYDIS_MNEMONIC_SCASD:
    case ZYDIS_MNEMONIC_SCASQ:
      return Operation::scas;
    case ZYDIS_MNEMONIC_CMPSB:
    case ZYDIS_MNEMONIC_CMPSW:
    case ZYDIS_MNEMONIC_CMPSD:
    case ZYDIS_MNEMONIC_CMPSQ:
      return Operation::cmps;
    default:
      return Operation::unsupported;
  }
}

Operation operation_of(const ZydisDecodedInstruction& from) {
  // Knights Corner had POPCNT and others in VEX form; Zydis knows them, processors of today do not.
  if (from.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) return Operation::unsupported;
  switch (from.meta.category) {
    case ZYDIS_CATEGORY_STRINGOP:
      return string_operation(from.mnemonic);
    case ZYDIS_CATEGORY_CMOV:
      return Operation::cmovcc;
    case ZYDIS_CATEGORY_SETCC:
      return Operation::setcc;
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
      return Operation::nop;
    case ZYDIS_CATEGORY_COND_BR:
      if (from.mnemonic == ZYDIS_MNEMONIC_JRCXZ || from.mnemonic == ZYDIS_MNEMONIC_JECXZ)
        return Operation::jrcxz;
      // Also in this category: loop, xbegin.
      if ((from.opcode & 0xf0) != (from.opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x80 : 0x70))
        return Operation::unsupported;
      return Operation::jcc;
    default:
      break;
  }
  if (from.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return Operation::unsupported;
  switch (from.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      return Operation::mov;
    case ZYDIS_MNEMONIC_MOVZX:
      return Operation::movzx;
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
      return Operation::movsx;
    case ZYDIS_MNEMONIC_LEA:
      return Operation::lea;
    case ZYDIS_MNEMONIC_XCHG:
      return Operation::xchg;
    case ZYDIS_MNEMONIC_PUSH:
      return Operation::push;
    case ZYDIS_MNEMONIC_POP:
      return Operation::pop;
    case ZYDIS_MNEMONIC_LEAVE:
      return Operation::leave;
    case ZYDIS_MNEMONIC_ADD:
      return Operation::add;
    case ZYDIS_MNEMONIC_ADC:
      return Operation::adc;
    case ZYDIS_MNEMONIC_SUB:
      return Operation::sub;
    case ZYDIS_MNEMONIC_SBB:
      return Operation::sbb;
    case ZYDIS_MNEMONIC_CMP:
      return Operation::cmp;
    case ZYDIS_MNEMONIC_INC:
      return Operation::inc;
    case ZYDIS_MNEMONIC_DEC:
      return Operation::dec;
    case ZYDIS_MNEMONIC_NEG:
      return Operation::neg;
    case ZYDIS_MNEMONIC_AND:
      return Operation::bit_and;
    case ZYDIS_MNEMONIC_OR:
      return Operation::bit_or;
    case ZYDIS_MNEMONIC_XOR:
      return Operation::bit_xor;
    case ZYDIS_MNEMONIC_NOT:
      return Operation::bit_not;
    case ZYDIS_MNEMONIC_TEST:
      return Operation::test;
    case ZYDIS_MNEMONIC_SHL:
      return Operation::shl;
    case ZYDIS_MNEMONIC_SHR:
      return Operation::shr;
    case ZYDIS_MNEMONIC_SAR:
      return Operation::sar;
    case ZYDIS_MNEMONIC_ROL:
      return Operation::rol;
    case ZYDIS_MNEMONIC_ROR:
      return Operation::ror;
    case ZYDIS_MNEMONIC_RCL:
      return Operation::rcl;
    case ZYDIS_MNEMONIC_RCR:
      return Operation::rcr;
    case ZYDIS_MNEMONIC_SHLD:
      return Operation::shld;
    case ZYDIS_MNEMONIC_SHRD:
      return Operation::shrd;
    case ZYDIS_MNEMONIC_MUL:
      return Operation::mul;
    case ZYDIS_MNEMONIC_IMUL:
      return from.operand_count_visible == 1 ? Operation::imul_wide : Operation::imul;
    case ZYDIS_MNEMONIC_DIV:
      return Operation::div;
    case ZYDIS_MNEMONIC_IDIV:
      return Operation::idiv;
    case ZYDIS_MNEMONIC_CBW:
    case ZYDIS_MNEMONIC_CWDE:
    case ZYDIS_MNEMONIC_CDQE:
      return Operation::widen_accumulator;
    case ZYDIS_MNEMONIC_CWD:
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO:
      return Operation::sign_to_data;
    case ZYDIS_MNEMONIC_BT:
      return Operation::bt;
    case ZYDIS_MNEMONIC_BTS:
      return Operation::bts;
    case ZYDIS_MNEMONIC_BTR:
      return Operation::btr;
    case ZYDIS_MNEMONIC_BTC:
      return Operation::btc;
    case ZYDIS_MNEMONIC_BSF:
      return Operation::bsf;
    case ZYDIS_MNEMONIC_BSR:
      return Operation::bsr;
    case ZYDIS_MNEMONIC_TZCNT:
      return Operation::tzcnt;
    case ZYDIS_MNEMONIC_LZCNT:
      return Operation::lzcnt;
    case ZYDIS_MNEMONIC_POPCNT:
      return Operation::popcnt;
    case ZYDIS_MNEMONIC_BSWAP:
      return Operation::bswap;
    case ZYDIS_MNEMONIC_XADD:
      return Operation::xadd;
    case ZYDIS_MNEMONIC_CMPXCHG:
      return Operation::cmpxchg;
    case ZYDIS_MNEMONIC_JMP:
      return Operation::jmp;
    case ZYDIS_MNEMONIC_CALL:
      return Operation::call;
    case ZYDIS_MNEMONIC_RET:
      return Operation::ret;
    case ZYDIS_MNEMONIC_CLC:
      return Operation::clc;
    case ZYDIS_MNEMONIC_STC:
      return Operation::stc;
    case ZYDIS_MNEMONIC_CMC:
      return Operation::cmc;
    case ZYDIS_MNEMONIC_CLD:
      return Operation::cld;
    case ZYDIS_MNEMONIC_STD:
      return Operation::std;
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_NOP:
      return Operation::nop;
    case ZYDIS_MNEMONIC_PAUSE:
      return Operation::pause;
    case ZYDIS_MNEMONIC_INT3:
      return Operation::int3;
    case ZYDIS_MNEMONIC_UD2:
      return Operation::ud2;
    case ZYDIS_MNEMONIC_SYSCALL:
      return Operation::syscall;
    default:
      return Operation::unsupported;
  }
}

}  // namespace

Instruction decode_instruction(std::span<const std::byte> bytes, bool& truncated) {
  truncated = false;
  ZydisDecodedInstruction from;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  const std::size_t size = std::min<std::size_t>(bytes.size(), ZYDIS_MAX_INSTRUCTION_LENGTH);
  const ZyanStatus status = ZydisDecoderDecodeFull(&decoder(), bytes.data(), size, &from, operands);
  Instruction to;
  if (!ZYAN_SUCCESS(status)) {
    truncated = status == ZYDIS_STATUS_NO_MORE_DATA && size < ZYDIS_MAX_INSTRUCTION_LENGTH;
    return to;
  }
  to.length = from.length;
  to.operation = operation_of(from);
  if (to.operation == Operation::unsupported) return to;
  to.condition = from.opcode & 0xf;
  to.width = static_cast<std::uint8_t>(from.operand_width / 8);
  to.narrow_address = from.address_width == 32;
  // A hint address (nop, prefetch) is never used, whatever registers it names.
  if (to.operation == Operation::nop) return to;
  if (to.operation >= Operation::movs && to.operation <= Operation::cmps) {
    if (from.attributes & ZYDIS_ATTRIB_HAS_SEGMENT) to.operation = Operation::unsupported;
    if (from.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) {
      const bool compares = to.operation == Operation::scas || to.operation == Operation::cmps;
      to.repeat = !compares ? Instruction::Repeat::plain
                  : (from.attributes & ZYDIS_ATTRIB_HAS_REPNE)
                      ? Instruction::Repeat::while_not_equal
                      : Instruction::Repeat::while_equal;
    }
    return to;
  }
  if (from.operand_count_visible > to.operands.size()) {
    to.operation = Operation::unsupported;
    return to;
  }
  for (std::size_t i = 0; i < from.operand_count_visible; ++i)
    if (!set_operand(from, operands[i], to.operands[i])) {
      to.operation = Operation::unsupported;
      return to;
    }
  return to;
}

std::string instruction_text(std::span<const std::byte> bytes, std::uint64_t address) {
  ZydisDisassembledInstruction text;
  if (!ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, address, bytes.data(),
                                          bytes.size(), &text)))
    return "(bad)";
  return text.text;
}

}  // namespace doppel

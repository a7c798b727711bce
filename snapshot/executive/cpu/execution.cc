// SPDX-License-Identifier: Apache-2.0
//
// One rule keeps faults precise: an instruction does all that can fault (reads, the write check of
// read_for_write, the write itself) before it changes a register or a flag. Flags are computed in a
// copy.
#include <cstring>

#include <snapshot/executive/cpu/arithmetic.h>
#include <snapshot/executive/cpu/execution.h>

namespace doppel {
namespace {

using Kind = Operand::Kind;
__extension__ using Wide = unsigned __int128;
__extension__ using SignedWide = __int128;

constexpr std::uint64_t kAddressLimit = std::uint64_t{1} << 47;

bool is_canonical(std::uint64_t address) {
  return address + kAddressLimit < 2 * kAddressLimit;
}

class Execution {
 public:
  Execution(const Instruction& instruction, GuestRegisters& registers, GuestMemory& memory,
            GuestException& exception)
      : instruction_(instruction),
        registers_(registers),
        memory_(memory),
        exception_(exception),
        flags_(registers.flags),
        next_(registers.rip + instruction.length) {}

  StepKind run() {
    kind_ = StepKind::retired;
    if (!dispatch()) return StepKind::exception;
    registers_.flags = flags_;
    registers_.rip = next_;
    return kind_;
  }

 private:
  bool dispatch();
  bool move();
  bool arithmetic();
  bool one_operand();
  bool shift();
  bool multiply();
  bool divide();
  bool bit_test();
  bool bit_scan();
  bool exchange();
  bool branch();
  bool string();

  bool raise(std::uint32_t code) {
    exception_ = {code, 0, {}};
    return false;
  }

  const Operand& operand(unsigned i) const { return instruction_.operands[i]; }

  std::uint64_t address(const Operand& of) const {
    std::uint64_t sum = static_cast<std::uint64_t>(of.value);
    if (of.base == kInstructionPointer)
      sum += next_;
    else if (of.base != kNoRegister)
      sum += registers_.general[of.base];
    if (of.index != kNoRegister) sum += registers_.general[of.index] * of.scale;
    if (instruction_.narrow_address) sum &= 0xffffffff;
    return of.gs ? sum + registers_.gs_base : sum;
  }

  /// A range outside the canonical halves raises a general protection fault, which NT reports as a
  /// read of -1.
  bool reachable(std::uint64_t at, unsigned size) {
    if (is_canonical(at) && is_canonical(at + size - 1)) return true;
    exception_ = {kGuestAccessViolation, 2, {0, ~std::uint64_t{0}}};
    return false;
  }

  bool load_at(std::uint64_t at, unsigned size, std::uint64_t& value) {
    value = 0;
    return reachable(at, size) && memory_.read(at, &value, size, exception_);
  }

  bool store_at(std::uint64_t at, unsigned size, std::uint64_t value) {
    return reachable(at, size) && memory_.write(at, &value, size, exception_);
  }

  std::uint64_t get_register(const Operand& of) const {
    const std::uint64_t whole = registers_.general[of.reg];
    return of.high ? (whole >> 8) & 0xff : whole & value_mask(of.size);
  }

  /// 32 bits clear the upper half; 8 and 16 leave the rest alone (SDM volume 1, 3.4.1.1).
  void set_register(const Operand& of, std::uint64_t value) {
    std::uint64_t& whole = registers_.general[of.reg];
    if (of.size >= 4)
      whole = value & value_mask(of.size);
    else if (of.high)
      whole = (whole & ~std::uint64_t{0xff00}) | ((value & 0xff) << 8);
    else
      whole = (whole & ~value_mask(of.size)) | (value & value_mask(of.size));
  }

  void set_numbered(unsigned number, unsigned size, std::uint64_t value) {
    Operand named;
    named.reg = static_cast<std::uint8_t>(number);
    named.size = static_cast<std::uint8_t>(size);
    set_register(named, value);
  }

  bool load(const Operand& of, std::uint64_t& value) {
    if (of.kind == Kind::reg)
      value = get_register(of);
    else if (of.kind == Kind::immediate)
      value = static_cast<std::uint64_t>(of.value);
    else
      return load_at(address(of), of.size, value);
    return true;
  }

  /// For a destination that is read first: a memory operand faults as a write.
  bool load_destination(const Operand& of, std::uint64_t& value) {
    if (of.kind == Kind::reg) {
      value = get_register(of);
      return true;
    }
    value = 0;
    const std::uint64_t at = address(of);
    return reachable(at, of.size) && memory_.read_for_write(at, &value, of.size, exception_);
  }

  bool store(const Operand& of, std::uint64_t value) {
    if (of.kind == Kind::memory) return store_at(address(of), of.size, value);
    set_register(of, value);
    return true;
  }

  bool push_value(std::uint64_t value, unsigned size) {
    const std::uint64_t top = registers_.general[kRsp] - size;
    if (!store_at(top, size, value)) return false;
    registers_.general[kRsp] = top;
    return true;
  }

  bool go_to(std::uint64_t target) {
    if (!is_canonical(target)) {
      exception_ = {kGuestAccessViolation, 2, {0, ~std::uint64_t{0}}};
      return false;
    }
    next_ = target;
    return true;
  }

  const Instruction& instruction_;
  GuestRegisters& registers_;
  GuestMemory& memory_;
  GuestException& exception_;
  std::uint32_t flags_;
  std::uint64_t next_;
  StepKind kind_ = StepKind::retired;
};

bool Execution::move() {
  const Operand& to = operand(0);
  std::uint64_t value = 0;
  switch (instruction_.operation) {
    case Operation::lea:
      set_register(to, address(operand(1)));
      return true;
    case Operation::movsx:
      if (!load(operand(1), value)) return false;
      set_register(to, sign_extend(value, operand(1).size));
      return true;
    case Operation::push:
      if (!load(to, value)) return false;
      return push_value(value, instruction_.width);
    case Operation::pop: {
      if (!load_at(registers_.general[kRsp], instruction_.width, value)) return false;
      // An address that uses rsp sees it already moved (SDM, POP).
      const std::uint64_t before = registers_.general[kRsp];
      registers_.general[kRsp] = before + instruction_.width;
      if (store(to, value)) return true;
      registers_.general[kRsp] = before;
      return false;
    }
    case Operation::leave: {
      const std::uint64_t frame = registers_.general[kRbp];
      if (!load_at(frame, instruction_.width, value)) return false;
      registers_.general[kRsp] = frame + instruction_.width;
      set_numbered(kRbp, instruction_.width, value);
      return true;
    }
    case Operation::cmovcc:
      // The source is read, and the upper half of a 32-bit register cleared, even when nothing
      // moves.
      if (!load(operand(1), value)) return false;
      set_register(to, condition_holds(instruction_.condition, flags_) ? value : get_register(to));
      return true;
    case Operation::setcc:
      return store(to, condition_holds(instruction_.condition, flags_) ? 1 : 0);
    case Operation::widen_accumulator: {
      const unsigned half = instruction_.width / 2u;
      set_numbered(kRax, instruction_.width,
                   sign_extend(registers_.general[kRax] & value_mask(half), half));
      return true;
    }
    case Operation::sign_to_data: {
      const bool negative = top_bit(registers_.general[kRax], instruction_.width) != 0;
      set_numbered(kRdx, instruction_.width, negative ? ~std::uint64_t{0} : 0);
      return true;
    }
    case Operation::bswap:
      value = get_register(to);
      set_register(to, to.size == 8 ? __builtin_bswap64(value)
                                    : __builtin_bswap32(static_cast<std::uint32_t>(value)));
      return true;
    default:  // mov, movzx
      return load(operand(1), value) && store(to, value);
  }
}

bool Execution::arithmetic() {
  const Operand& to = operand(0);
  const unsigned size = to.size;
  const Operation operation = instruction_.operation;
  const bool writes = operation != Operation::cmp && operation != Operation::test;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  // Both orders of reading fault at the same operand: only one of the two can be memory.
  if (!load(operand(1), b)) return false;
  if (!(writes ? load_destination(to, a) : load(to, a))) return false;
  b &= value_mask(size);
  const unsigned carry = (flags_ & kCarryFlag) != 0 ? 1 : 0;
  std::uint64_t result = 0;
  switch (operation) {
    case Operation::add:
      result = add_values(a, b, 0, size, flags_);
      break;
    case Operation::adc:
      result = add_values(a, b, carry, size, flags_);
      break;
    case Operation::sub:
    case Operation::cmp:
      result = subtract_values(a, b, 0, size, flags_);
      break;
    case Operation::sbb:
      result = subtract_values(a, b, carry, size, flags_);
      break;
    case Operation::bit_or:
      result = logic_result(a | b, size, flags_);
      break;
    case Operation::bit_xor:
      result = logic_result(a ^ b, size, flags_);
      break;
    default:
      result = logic_result(a & b, size, flags_);
      break;
  }
  return !writes || store(to, result);
}

bool Execution::one_operand() {
  const Operand& to = operand(0);
  std::uint64_t value = 0;
  if (!load_destination(to, value)) return false;
  const std::uint32_t carry = flags_ & kCarryFlag;
  switch (instruction_.operation) {
    case Operation::inc:
      value = add_values(value, 1, 0, to.size, flags_);
      flags_ = (flags_ & ~kCarryFlag) | carry;
      break;
    case Operation::dec:
      value = subtract_values(value, 1, 0, to.size, flags_);
      flags_ = (flags_ & ~kCarryFlag) | carry;
      break;
    case Operation::neg:
      value = subtract_values(0, value, 0, to.size, flags_);
      break;
    default:
      value = ~value & value_mask(to.size);
      break;
  }
  return store(to, value);
}

bool Execution::shift() {
  const Operand& to = operand(0);
  const bool is_double =
      instruction_.operation == Operation::shld || instruction_.operation == Operation::shrd;
  std::uint64_t value = 0;
  std::uint64_t count = 0;
  if (!load(operand(is_double ? 2 : 1), count) || !load_destination(to, value)) return false;
  if (is_double) {
    std::uint64_t filler = get_register(operand(1));
    value = shift_double(instruction_.operation == Operation::shld, value, filler, count, to.size,
                         flags_);
  } else {
    value = shift_value(instruction_.operation, value, count, to.size, flags_);
  }
  return store(to, value);
}

bool Execution::multiply() {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  const Operation operation = instruction_.operation;
  if (operation == Operation::imul) {
    const Operand& to = operand(0);
    const bool three = operand(2).kind != Kind::none;
    if (!load(operand(1), a) || !load(operand(three ? 2 : 0), b)) return false;
    const SignedWide product =
        static_cast<SignedWide>(static_cast<std::int64_t>(sign_extend(a, to.size))) *
        static_cast<std::int64_t>(sign_extend(b & value_mask(to.size), to.size));
    const auto low = static_cast<std::uint64_t>(product) & value_mask(to.size);
    const bool lost =
        product != static_cast<SignedWide>(static_cast<std::int64_t>(sign_extend(low, to.size)));
    set_status(flags_, result_flags(low, to.size) | flag_if(lost, kCarryFlag | kOverflowFlag));
    set_register(to, low);
    return true;
  }
  const unsigned size = operand(0).size;
  if (!load(operand(0), b)) return false;
  a = registers_.general[kRax] & value_mask(size);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool lost = false;
  if (operation == Operation::mul) {
    const Wide product = static_cast<Wide>(a) * b;
    low = static_cast<std::uint64_t>(product) & value_mask(size);
    high = static_cast<std::uint64_t>(product >> (8 * size)) & value_mask(size);
    lost = high != 0;
  } else {
    const SignedWide product =
        static_cast<SignedWide>(static_cast<std::int64_t>(sign_extend(a, size))) *
        static_cast<std::int64_t>(sign_extend(b, size));
    low = static_cast<std::uint64_t>(product) & value_mask(size);
    high = static_cast<std::uint64_t>(product >> (8 * size)) & value_mask(size);
    lost = product != static_cast<SignedWide>(static_cast<std::int64_t>(sign_extend(low, size)));
  }
  set_status(flags_, result_flags(low, size) | flag_if(lost, kCarryFlag | kOverflowFlag));
  if (size == 1) {
    set_numbered(kRax, 2, low | (high << 8));
  } else {
    set_numbered(kRax, size, low);
    set_numbered(kRdx, size, high);
  }
  return true;
}

bool Execution::divide() {
  const unsigned size = operand(0).size;
  std::uint64_t divisor = 0;
  if (!load(operand(0), divisor)) return false;
  if (divisor == 0) return raise(kGuestIntegerDivideByZero);
  const std::uint64_t low = registers_.general[kRax] & value_mask(size);
  const std::uint64_t high = size == 1 ? (registers_.general[kRax] >> 8) & 0xff
                                       : registers_.general[kRdx] & value_mask(size);
  const Wide dividend = (static_cast<Wide>(high) << (8 * size)) | low;
  std::uint64_t quotient = 0;
  std::uint64_t rest = 0;
  if (instruction_.operation == Operation::div) {
    const Wide wide = dividend / divisor;
    if (wide > value_mask(size)) return raise(kGuestIntegerOverflow);
    quotient = static_cast<std::uint64_t>(wide);
    rest = static_cast<std::uint64_t>(dividend % divisor);
  } else {
    const unsigned unused = 128 - 16 * size;
    const SignedWide whole = static_cast<SignedWide>(dividend << unused) >> unused;
    const SignedWide by = static_cast<std::int64_t>(sign_extend(divisor, size));
    // The one division that C++ cannot do; its quotient does not fit either.
    if (by == -1 && dividend == static_cast<Wide>(1) << 127) return raise(kGuestIntegerOverflow);
    const SignedWide wide = whole / by;
    quotient = static_cast<std::uint64_t>(wide) & value_mask(size);
    if (wide != static_cast<SignedWide>(static_cast<std::int64_t>(sign_extend(quotient, size))))
      return raise(kGuestIntegerOverflow);
    rest = static_cast<std::uint64_t>(whole % by) & value_mask(size);
  }
  if (size == 1) {
    set_numbered(kRax, 2, (quotient & 0xff) | (rest << 8));
  } else {
    set_numbered(kRax, size, quotient);
    set_numbered(kRdx, size, rest);
  }
  return true;
}

bool Execution::bit_test() {
  Operand place = operand(0);
  const unsigned bits = place.size * 8u;
  std::uint64_t number = 0;
  if (!load(operand(1), number)) return false;
  // A register number reaches beyond a memory operand, as a signed distance in bits (SDM, BT).
  if (place.kind == Kind::memory && operand(1).kind == Kind::reg) {
    const auto distance = static_cast<std::int64_t>(sign_extend(number, operand(1).size));
    place.value += (distance >> (place.size == 8 ? 6 : place.size == 4 ? 5 : 4)) * place.size;
  }
  number &= bits - 1;
  const bool writes = instruction_.operation != Operation::bt;
  std::uint64_t value = 0;
  if (!(writes ? load_destination(place, value) : load(place, value))) return false;
  const std::uint64_t bit = std::uint64_t{1} << number;
  flags_ = (flags_ & ~kCarryFlag) | flag_if((value & bit) != 0, kCarryFlag);
  switch (instruction_.operation) {
    case Operation::bts:
      value |= bit;
      break;
    case Operation::btr:
      value &= ~bit;
      break;
    case Operation::btc:
      value ^= bit;
      break;
    default:
      return true;
  }
  return store(place, value);
}

bool Execution::bit_scan() {
  const Operand& to = operand(0);
  const unsigned bits = to.size * 8u;
  std::uint64_t value = 0;
  if (!load(operand(1), value)) return false;
  std::uint64_t result = 0;
  switch (instruction_.operation) {
    case Operation::bsf:
    case Operation::bsr:
      flags_ = (flags_ & ~kStatusFlags) | flag_if(value == 0, kZeroFlag);
      // Nothing found: the destination stays, all 64 bits of it (documented by AMD, done by Intel).
      if (value == 0) return true;
      result = static_cast<std::uint64_t>(instruction_.operation == Operation::bsf
                                              ? std::countr_zero(value)
                                              : 63 - std::countl_zero(value));
      break;
    case Operation::popcnt:
      result = static_cast<std::uint64_t>(std::popcount(value));
      flags_ = (flags_ & ~kStatusFlags) | flag_if(value == 0, kZeroFlag);
      break;
    case Operation::tzcnt:
    case Operation::lzcnt: {
      const auto zeros =
          static_cast<unsigned>(instruction_.operation == Operation::tzcnt
                                    ? std::countr_zero(value)
                                    : std::countl_zero(value) - (64 - static_cast<int>(bits)));
      result = value == 0 ? bits : zeros;
      flags_ = (flags_ & ~kStatusFlags) | flag_if(value == 0, kCarryFlag) |
               flag_if(result == 0, kZeroFlag);
      break;
    }
    default:
      break;
  }
  set_register(to, result);
  return true;
}

bool Execution::exchange() {
  const Operand& to = operand(0);
  const Operand& with = operand(1);
  std::uint64_t old = 0;
  // Whichever of the two is memory must be written before a register changes.
  const bool swapped = with.kind == Kind::memory;
  const Operand& place = swapped ? with : to;
  const Operand& reg = swapped ? to : with;
  if (!load_destination(place, old)) return false;
  const std::uint64_t value = get_register(reg);
  switch (instruction_.operation) {
    case Operation::xadd: {
      const std::uint64_t sum = add_values(old, value, 0, to.size, flags_);
      if (place.kind == Kind::memory) {
        if (!store(place, sum)) return false;
        set_register(reg, old);
      } else {
        set_register(reg, old);  // xadd of a register with itself leaves the sum
        set_register(place, sum);
      }
      return true;
    }
    case Operation::cmpxchg: {
      const std::uint64_t expected = registers_.general[kRax] & value_mask(to.size);
      subtract_values(expected, old, 0, to.size, flags_);
      if (expected == old) return store(place, value);
      // A memory operand is written back even then; a register keeps its upper half.
      if (place.kind == Kind::memory && !store(place, old)) return false;
      set_numbered(kRax, to.size, old);
      return true;
    }
    default:
      if (!store(place, value)) return false;
      set_register(reg, old);
      return true;
  }
}

bool Execution::branch() {
  const Operand& where = operand(0);
  std::uint64_t target = 0;
  if (instruction_.operation == Operation::ret) {
    if (!load_at(registers_.general[kRsp], 8, target) || !go_to(target)) return false;
    registers_.general[kRsp] +=
        8 + (where.kind == Kind::immediate ? static_cast<std::uint64_t>(where.value) & 0xffff : 0);
    return true;
  }
  if (instruction_.operation == Operation::jcc && !condition_holds(instruction_.condition, flags_))
    return true;
  if (instruction_.operation == Operation::jrcxz) {
    const std::uint64_t count = registers_.general[kRcx];
    if ((instruction_.narrow_address ? count & 0xffffffff : count) != 0) return true;
  }
  if (where.kind == Kind::immediate)
    target = next_ + static_cast<std::uint64_t>(where.value);
  else if (!load(where, target))
    return false;
  const std::uint64_t back = next_;
  if (!go_to(target)) return false;
  return instruction_.operation != Operation::call || push_value(back, 8);
}

bool Execution::string() {
  const unsigned size = instruction_.width;
  auto& general = registers_.general;
  const std::uint64_t mask = instruction_.narrow_address ? 0xffffffff : ~std::uint64_t{0};
  const bool repeats = instruction_.repeat != Instruction::Repeat::none;
  if (repeats && (general[kRcx] & mask) == 0) return true;
  const std::uint64_t from = general[kRsi] & mask;
  const std::uint64_t to = general[kRdi] & mask;
  const std::uint64_t step = (flags_ & kDirectionFlag) != 0 ? std::uint64_t{0} - size : size;
  std::uint64_t value = 0;
  std::uint64_t other = 0;
  bool uses_source = true;
  bool uses_destination = true;
  switch (instruction_.operation) {
    case Operation::movs:
      if (!load_at(from, size, value) || !store_at(to, size, value)) return false;
      break;
    case Operation::stos:
      if (!store_at(to, size, general[kRax])) return false;
      uses_source = false;
      break;
    case Operation::lods:
      if (!load_at(from, size, value)) return false;
      set_numbered(kRax, size, value);
      uses_destination = false;
      break;
    case Operation::scas:
      if (!load_at(to, size, other)) return false;
      subtract_values(general[kRax] & value_mask(size), other, 0, size, flags_);
      uses_source = false;
      break;
    default:
      if (!load_at(from, size, value) || !load_at(to, size, other)) return false;
      subtract_values(value, other, 0, size, flags_);
      break;
  }
  if (uses_source) general[kRsi] = (from + step) & mask;
  if (uses_destination) general[kRdi] = (to + step) & mask;
  if (!repeats) return true;
  general[kRcx] = (general[kRcx] - 1) & mask;
  const bool equal = (flags_ & kZeroFlag) != 0;
  const bool ended = general[kRcx] == 0 ||
                     (instruction_.repeat == Instruction::Repeat::while_equal && !equal) ||
                     (instruction_.repeat == Instruction::Repeat::while_not_equal && equal);
  if (!ended) {
    // Between iterations the flags are those from before the instruction (SDM volume 2, REP: a fault
    // restores them; the processor's single steps show the same).
    next_ = registers_.rip;
    flags_ = registers_.flags;
  }
  return true;
}

bool Execution::dispatch() {
  switch (instruction_.operation) {
    case Operation::mov:
    case Operation::movzx:
    case Operation::movsx:
    case Operation::lea:
    case Operation::push:
    case Operation::pop:
    case Operation::leave:
    case Operation::cmovcc:
    case Operation::setcc:
    case Operation::widen_accumulator:
    case Operation::sign_to_data:
    case Operation::bswap:
      return move();
    case Operation::add:
    case Operation::adc:
    case Operation::sub:
    case Operation::sbb:
    case Operation::cmp:
    case Operation::bit_and:
    case Operation::bit_or:
    case Operation::bit_xor:
    case Operation::test:
      return arithmetic();
    case Operation::inc:
    case Operation::dec:
    case Operation::neg:
    case Operation::bit_not:
      return one_operand();
    case Operation::shl:
    case Operation::shr:
    case Operation::sar:
    case Operation::rol:
    case Operation::ror:
    case Operation::rcl:
    case Operation::rcr:
    case Operation::shld:
    case Operation::shrd:
      return shift();
    case Operation::mul:
    case Operation::imul_wide:
    case Operation::imul:
      return multiply();
    case Operation::div:
    case Operation::idiv:
      return divide();
    case Operation::bt:
    case Operation::bts:
    case Operation::btr:
    case Operation::btc:
      return bit_test();
    case Operation::bsf:
    case Operation::bsr:
    case Operation::tzcnt:
    case Operation::lzcnt:
    case Operation::popcnt:
      return bit_scan();
    case Operation::xchg:
    case Operation::xadd:
    case Operation::cmpxchg:
      return exchange();
    case Operation::jmp:
    case Operation::jcc:
    case Operation::jrcxz:
    case Operation::call:
    case Operation::ret:
      return branch();
    case Operation::movs:
    case Operation::stos:
    case Operation::lods:
    case Operation::scas:
    case Operation::cmps:
      return string();
    case Operation::clc:
      flags_ &= ~kCarryFlag;
      return true;
    case Operation::stc:
      flags_ |= kCarryFlag;
      return true;
    case Operation::cmc:
      flags_ ^= kCarryFlag;
      return true;
    case Operation::cld:
      flags_ &= ~kDirectionFlag;
      return true;
    case Operation::std:
      flags_ |= kDirectionFlag;
      return true;
    case Operation::nop:
      return true;
    case Operation::pause:
      kind_ = StepKind::pause;
      return true;
    case Operation::syscall:
      registers_.general[kRcx] = next_;
      registers_.general[kR11] = flags_;
      kind_ = StepKind::syscall;
      return true;
    case Operation::int3:
      exception_ = {kGuestBreakpoint, 1, {}};
      return false;
    case Operation::ud2:
    case Operation::unsupported:
      break;
  }
  return raise(kGuestIllegalInstruction);
}

}  // namespace

StepKind execute_instruction(const Instruction& instruction, GuestRegisters& registers,
                             GuestMemory& memory, GuestException& exception) {
  return Execution(instruction, registers, memory, exception).run();
}

}  // namespace doppel

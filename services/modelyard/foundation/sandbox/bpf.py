"""Seccomp filters as classic BPF: an assembler as small as the filters need.

The library for this, pyseccomp (2021), wants libseccomp.so on the machine; sandlock wants Linux 6.7. Layout of what the
filter reads: linux/seccomp.h, struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6]}.
"""

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_RETURN = 0x06  # BPF_RET | BPF_K

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
"""x86-64's second set of numbers starts here."""
_MAX_INSTRUCTIONS = 4096


@dataclass(frozen=True, slots=True)
class Refuse:
    """Calls that always fail with this errno."""

    calls: tuple[int, ...]
    errno: int


@dataclass(frozen=True, slots=True)
class Only:
    """A call that fails with `errno` unless one of `cases` holds: argument -> the values that it may have."""

    call: int
    cases: tuple[dict[int, tuple[int, ...]], ...]
    errno: int


@dataclass(frozen=True, slots=True)
class Never:
    """A call that fails with `errno` when its argument is one of `values` or has one of `bits`."""

    call: int
    argument: int
    errno: int
    values: tuple[int, ...] = ()
    bits: int = 0


Rule = Refuse | Only | Never
_Instruction = tuple[int, int, int, int]


def assemble(architecture: int, rules: Sequence[Rule]) -> bytes:
    """The filter: what no rule names is allowed. Only one rule with an argument may name a call.

    Arguments are compared by their low 32 bits, which is all that the kernel reads of the ones we look at.
    """
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    for rule in rules:
        if isinstance(rule, Refuse):
            for call in rule.calls:
                program += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ERRNO | rule.errno)]
        else:
            block = _block(rule)
            program += [(_EQUAL, 0, len(block), rule.call), *block]
    program.append((_RETURN, 0, 0, _ALLOW))
    if len(program) > _MAX_INSTRUCTIONS:
        raise ValueError(f"{len(program)} instructions are more than the kernel takes")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _block(rule: Only | Never) -> list[_Instruction]:
    """What is done for one call; always ends with an answer, so that the number needs no second load."""
    refuse: _Instruction = (_RETURN, 0, 0, _ERRNO | rule.errno)
    allow: _Instruction = (_RETURN, 0, 0, _ALLOW)
    if isinstance(rule, Only):
        return [*itertools.chain.from_iterable(_case(case, allow) for case in rule.cases), refuse]
    block: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * rule.argument)]
    for value in rule.values:
        block += [(_EQUAL, 0, 1, value & 0xFFFFFFFF), refuse]
    if rule.bits:
        block += [(_ANY_BIT, 0, 1, rule.bits), refuse]
    return [*block, allow]


def _case(case: dict[int, tuple[int, ...]], allow: _Instruction) -> list[_Instruction]:
    """Allows where every argument has one of its values; goes on behind itself where one has not."""
    code = [allow]
    for argument, values in reversed(case.items()):
        tests = [(_EQUAL, len(values) - number, 0, value) for number, value in enumerate(values)]
        code = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *tests, (_JUMP, 0, 0, len(code)), *code]
    return code

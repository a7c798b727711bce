// SPDX-License-Identifier: Apache-2.0
#include <cli/help_text.h>

namespace doppel {
namespace {

constexpr std::string_view kMain =
    R"(doppel takes the dump of a running process without taking the process down.

Usage: doppel COMMAND [OPTIONS]

Commands:
  capture PID|NAME   take a dump; the process pauses for milliseconds and runs on
  run -- COMMAND     run a service; when it crashes it is back within milliseconds
                     and its dump is written afterwards
  convert DUMP       write a dump in another format: ELF core, minidump
  doctor [PID|NAME]  what stands in the way of a capture, and the remedy for it
  executive run EXE  a program on the model of the NT executive

Options:
  --help             this text; doppel COMMAND --help tells more of a command
  --version          name and version
  --color WHEN       auto, always or never; NO_COLOR is honoured

Examples:
  doppel capture 4711                     a compressed ELF core in this directory
  doppel capture redis-server -o /var/tmp/
  doppel doctor 4711                      ask first, touch nothing

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 captured with losses, 4 no such
process, 5 not permitted.
)";

constexpr std::string_view kCapture =
    R"(Take the dump of a running process. It pauses for the time of a bare fork and
runs on; the dump is written afterwards, from a copy-on-write clone.

Usage: doppel capture PID|NAME [OPTIONS]

NAME is a process's short name, the file name of its program, or its argv[0].

Where to:
  -o, --output FILE   the dump; - streams it to stdout; DIR/ puts it there. Default:
                      COMM.PID.YYYYMMDDTHHMMSSZ.core.zst in the current directory.
                      An existing file is never overwritten
  --no-compress       a plain core instead of a zstd-compressed one
  --level N           zstd level, 1 (fast) to 22 (small)
  --threads N         threads that compress, 1 to 256
  --format NAME       elf (default), or minidump for lldb and Breakpad's tools: plain
                      unless FILE ends in .zst or a --level is given

What:
  --filter MASK       memory kinds, the bits of core(5)'s coredump_filter (0x33);
                      default: the process's own
  --shared HOW        shared memory: live (default) reads it right after the pause,
                      copy reads it within the pause, omit leaves it out
  --embed WHAT        none (default); symbols and files come in a later version

How:
  --max-pause MS      refuse, process untouched, if a longer pause is predicted
  --timeout S         close the dump as cut short after S seconds of writing
  --engine NAME       auto (default), clone, or direct: read while the process runs,
                      not of one instant; works on a process that is being debugged
  --force-undumpable  also a process that forbade dumps (needs CAP_SYS_PTRACE)

Output:
  --json              one JSON object on stdout instead of the dump's path
  -q, --quiet         no progress, no summary
  --color WHEN        auto, always or never; NO_COLOR is honoured
  -h, --help          this text

Examples:
  doppel capture 4711
  doppel capture redis-server --max-pause 50 -o /var/tmp/
  doppel capture 4711 -o - | ssh host 'cat > core.zst'
  doppel capture 4711 --json | jq .pause_us

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 captured with losses beyond those
asked for or cut short, 4 no such process, 5 not permitted.
)";

constexpr std::string_view kConvert =
    R"(Write a dump in another format. The dump may be an ELF core or a minidump,
plain or compressed, of doppel or of another tool. What the dump does not hold, or
the new format has no place for, is said.

Usage: doppel convert DUMP -o FILE [OPTIONS]

Options:
  -o, --output FILE   the new dump; - streams it to stdout. Never overwritten
  --format NAME       elf or minidump; default: minidump if FILE ends in .dmp, .mdmp
                      or .dmp.zst, else elf
  --no-compress       a plain core. A minidump is plain unless FILE ends in .zst or
                      a --level is given
  --level N           zstd level, 1 (fast) to 22 (small)
  --threads N         threads that compress, 1 to 256
  --json              one JSON object on stdout instead of the new dump's path
  -q, --quiet         no progress, no summary
  --color WHEN        auto, always or never; NO_COLOR is honoured
  -h, --help          this text

Examples:
  doppel convert server.4711.core.zst -o server.dmp
  doppel convert crash.dmp -o crash.core --no-compress

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the dump was cut or is damaged: the
new one holds what there was; 5 not permitted.
)";

constexpr std::string_view kRun =
    R"(Run a service. When it crashes, its memory is handed over, not copied: it is
dead, its ports, locks and files are free, and it is started again within
milliseconds whatever its size; the dump is written afterwards. What the service
handles itself - a SIGSEGV of a runtime, SIGABRT with a handler - is not touched.

Usage: doppel run [OPTIONS] -- COMMAND [ARG...]

Restart:
  --restart WHEN        never (default), on-crash: after a signal that is not TERM,
                        INT, HUP or PIPE; always: also after an exit. The first
                        restart comes at once, each early death doubles the pause
  --max-restarts N/S    give up after N restarts within S seconds (10/60)

Dumps:
  --dump-dir DIR        where to (default: the current directory). The first crash of
                        a kind is dumped whole, the next four with stacks only, then
                        they are counted
  --keep N              remove the oldest beyond N dumps of a program
  --format NAME         elf (default) or minidump
  --filter MASK         memory kinds, the bits of core(5)'s coredump_filter (0x33)
  --no-compress, --level N, --threads N    as for capture

Watching:
  --no-follow           children of the service are not watched
  --json-events FILE    append one JSON object a line: started crashed handed_over
                        reaped all_clear restarted dump_written dump_failed gave_up
  -q, --quiet           no messages on stderr
  --color WHEN          auto, always or never; NO_COLOR is honoured
  -h, --help            this text

Signals to doppel go to the service; SIGTERM ends it without a restart. As process
1 of a container doppel collects orphans. LISTEN_PID, WATCHDOG_PID and
NOTIFY_SOCKET of a service manager are made right for every instance. No other
debugger can attach to what doppel watches.

Examples:
  doppel run --restart on-crash --dump-dir /var/crash -- redis-server redis.conf
  doppel run --restart always --max-restarts 5/300 --keep 3 -- ./server

Exit codes: the service's own, and its signal; 2 wrong usage, 5 not permitted, 126
cannot be run, 127 not found.
)";

constexpr std::string_view kDoctor =
    R"(Say what stands in the way of a capture, and the remedy for it. Nothing is
touched. Without a process: look at this machine and at our own privileges.

Usage: doppel doctor [PID|NAME] [OPTIONS]

Options:
  --json              one JSON object on stdout
  --color WHEN        auto, always or never; NO_COLOR is honoured
  -h, --help          this text

Examples:
  doppel doctor
  doppel doctor 4711
  doppel doctor redis-server --json | jq .gates

Exit codes: 0 nothing in the way, 1 a capture is impossible, 2 wrong usage,
3 possible with losses, 4 no such process, 5 not permitted.
)";

constexpr std::string_view kExecutive =
    R"(Run a program on doppel's own model of the NT executive: created by the native
API, run instruction by instruction. When it crashes, its address space is cloned
without its handles, the original ends, and the dump is written from the clone.

Usage: doppel executive run GUEST.exe [ARG...] [OPTIONS] [-- ARG...]

GUEST.exe is a PE32+ program without imports, as those of samples/guests.

What happens at a crash:
  --dump FILE         write a minidump; the program and its PDB are laid beside it,
                      where lldb finds them. Never overwritten. Also of a program
                      that runs or waits still when --max-steps are over
  --restart           start the program again while the clone lives
  --inherit-handles   the counter-example: the clone inherits the handles, and who
                      is restarted meets STATUS_SHARING_VIOLATION until it is gone

How it runs:
  --seed N            of the scheduler; equal seeds give equal runs (1)
  --profile NAME      nt52, nt60 or nt63 (default): which release to be like
  --max-steps N       end after N instructions (50000000)
  --fault SITE:N      fail the N-th question of a fault site, such as commit.charge:3

Output:
  --trace             each native call with its status, on stderr
  --json              one JSON object on stdout instead of the story
  --color WHEN        auto, always or never; NO_COLOR is honoured
  -h, --help          this text

Examples:
  doppel executive run holder.exe --restart --dump /tmp/holder.dmp
  doppel executive run holder.exe --restart --inherit-handles
  lldb-19 -c /tmp/holder.dmp -o 'bt all'

Exit codes: 0 the program ended with 0, or was dumped; 1 it ended
otherwise, or could not be started; 2 wrong usage; 3 dumped with losses.
)";

}  // namespace

std::string_view help_text(std::string_view verb) {
  if (verb == "capture") return kCapture;
  if (verb == "convert") return kConvert;
  if (verb == "doctor") return kDoctor;
  if (verb == "executive") return kExecutive;
  if (verb == "run") return kRun;
  return kMain;
}

}  // namespace doppel

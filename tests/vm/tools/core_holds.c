// SPDX-License-Identifier: Apache-2.0
//
// Looks into a plain ELF core with a reader that shares no line with doppel:
//
//   core_holds CORE words ADDRESS SIZE GENERATION
//       every word of the range is in the file and is what the victim wrote
//   core_holds CORE words-or-zeros ADDRESS SIZE GENERATION
//       the same, but a word may be zero; prints how many bytes are
//   core_holds CORE covered ADDRESS SIZE
//       prints how many bytes of the range the file holds
//   core_holds CORE loads
//       prints the number of PT_LOADs, and the header's own count
//   core_holds CORE notes
//       prints the text of the notes whose owner is DOPPEL
//
// Exit 0, or 1 with what is wrong.

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tests/vm/victims/pattern.h>

static const char* file;
static uint64_t file_size;
static const Elf64_Phdr* headers;
static uint64_t header_count;
static int zeros_allowed;
static uint64_t zero_bytes;

static int wrong(const char* what, uint64_t where) {
  printf("%s at 0x%lx\n", what, where);
  return 1;
}

// The file's own bytes for [offset, offset+size), or ends the program.
static const void* at(uint64_t offset, uint64_t size) {
  if (offset > file_size || size > file_size - offset)
    exit(wrong("the file ends before what its headers promise", offset));
  return file + offset;
}

static void open_core(const char* path) {
  int descriptor = open(path, O_RDONLY);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    printf("%s: %s\n", path, strerror(errno));
    exit(1);
  }
  file_size = (uint64_t)status.st_size;
  file = mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const Elf64_Ehdr* header = at(0, sizeof *header);
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_CORE)
    exit(wrong("not an ELF core", 0));
  header_count = header->e_phnum;
  if (header->e_phnum == PN_XNUM) {
    const Elf64_Shdr* section = at(header->e_shoff, sizeof *section);
    header_count = section->sh_info;
  }
  headers = at(header->e_phoff, header_count * sizeof *headers);
}

static int check_words(const Elf64_Phdr* load, uint64_t address, uint64_t size,
                       uint64_t generation) {
  const uint64_t* words = at(load->p_offset + (address - load->p_vaddr), size);
  for (uint64_t i = 0; i < size / sizeof *words; i++) {
    uint64_t where = address + i * sizeof *words;
    if (words[i] == 0) zero_bytes += sizeof *words;
    if (words[i] == 0 && zeros_allowed) continue;
    if (words[i] != pattern_word(where, generation))
      return wrong(words[i] == 0 ? "a zero" : "another word", where);
  }
  return 0;
}

// Walks the PT_LOADs, which must ascend, over the range. With `generation` checks the words and
// allows no gap.
static int walk(uint64_t address, uint64_t size, const uint64_t* generation, uint64_t* covered) {
  uint64_t next = address, end = address + size, last = 0;
  *covered = 0;
  for (uint64_t i = 0; i < header_count; i++) {
    const Elf64_Phdr* load = &headers[i];
    if (load->p_type != PT_LOAD) continue;
    if (load->p_vaddr < last) return wrong("a segment out of order", load->p_vaddr);
    last = load->p_vaddr + load->p_memsz;
    uint64_t from = load->p_vaddr > address ? load->p_vaddr : address;
    uint64_t to = load->p_vaddr + load->p_filesz < end ? load->p_vaddr + load->p_filesz : end;
    if (from >= to) continue;
    *covered += to - from;
    if (generation == NULL) continue;
    if (from != next) return wrong("bytes not in the dump", next);
    if (check_words(load, from, to - from, *generation) != 0) return 1;
    next = to;
  }
  if (generation != NULL && next != end) return wrong("bytes not in the dump", next);
  return 0;
}

static void print_notes(void) {
  for (uint64_t i = 0; i < header_count; i++) {
    if (headers[i].p_type != PT_NOTE) continue;
    for (uint64_t offset = 0; offset + sizeof(Elf64_Nhdr) <= headers[i].p_filesz;) {
      const Elf64_Nhdr* note = at(headers[i].p_offset + offset, sizeof *note);
      uint64_t name = headers[i].p_offset + offset + sizeof *note;
      uint64_t text = name + ((note->n_namesz + 3u) & ~3u);
      if (note->n_namesz == 7 && memcmp(at(name, 7), "DOPPEL", 7) == 0) {
        printf("type %u: ", note->n_type);
        fwrite(at(text, note->n_descsz), 1, note->n_descsz, stdout);
        printf("\n");
      }
      offset = text + ((note->n_descsz + 3u) & ~3u) - headers[i].p_offset;
    }
  }
}

int main(int argc, char** argv) {
  if (argc < 3)
    return wrong("usage: core_holds CORE words|words-or-zeros|covered|loads|notes ...", 0);
  open_core(argv[1]);
  uint64_t covered = 0;
  if (strcmp(argv[2], "words") == 0 && argc == 6) {
    uint64_t generation = strtoull(argv[5], NULL, 0);
    return walk(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), &generation, &covered);
  }
  if (strcmp(argv[2], "words-or-zeros") == 0 && argc == 6) {
    uint64_t generation = strtoull(argv[5], NULL, 0);
    zeros_allowed = 1;
    if (walk(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), &generation, &covered) != 0)
      return 1;
    printf("%lu\n", zero_bytes);
    return 0;
  }
  if (strcmp(argv[2], "covered") == 0 && argc == 5) {
    if (walk(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), NULL, &covered) != 0) return 1;
    printf("%lu\n", covered);
    return 0;
  }
  if (strcmp(argv[2], "loads") == 0) {
    uint64_t loads = 0;
    for (uint64_t i = 0; i < header_count; i++) loads += headers[i].p_type == PT_LOAD;
    printf("%lu %u\n", loads, ((const Elf64_Ehdr*)(const void*)file)->e_phnum);
    return 0;
  }
  if (strcmp(argv[2], "notes") == 0) {
    print_notes();
    return 0;
  }
  return wrong("usage: core_holds CORE words|words-or-zeros|covered|loads|notes ...", 0);
}

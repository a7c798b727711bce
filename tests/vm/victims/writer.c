// SPDX-License-Identifier: Apache-2.0
//
// One MiB of stamped memory, and N MiB that a thread writes again and again, page by page: every
// first write to a page that a clone shares costs its control group another page. The thread pauses
// only with the process.

#include <pthread.h>

#include <tests/vm/victims/victim.h>

static size_t churn_size;
static volatile char* churn;

static void* write_forever(void* unused) {
  (void)unused;
  for (char value = 1;; value++) {
    for (size_t i = 0; i < churn_size; i += 4096) churn[i] = value;
  }
  return NULL;
}

int main(int argc, char** argv) {
  churn_size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) << 20;
  churn = mmap(NULL, churn_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (churn == MAP_FAILED) die("mmap");
  for (size_t i = 0; i < churn_size; i += 4096) churn[i] = 1;
  void* memory = stamped_memory(1 << 20, 0);
  pthread_t thread;
  if (pthread_create(&thread, NULL, write_forever, NULL) != 0) die("pthread_create");
  ready(memory, 1 << 20);
  serve(memory, 1 << 20);
  return 0;
}

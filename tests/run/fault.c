/* Preloaded into the ranks of a test job: makes one call of one rank fail, as a full disk, a broken
 * file system, a lack of memory or a network would.
 *   FAULT_RANK    the rank, as mpirun numbers it
 *   FAULT         what fails: open:NAME, write:NAME (files whose path has NAME in it), memory, or the
 *                 name of an MPI function; stop:FUNCTION and kill:FUNCTION stop and kill the rank in it;
 *                 flip:MPI_Isend changes a bit of one message on its way, as memory or a network would
 *   FAULT_TAG     in MPI_Isend, of messages with this tag only
 *   FAULT_AFTER   a file; nothing fails until it is there */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_due(void) {
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  const char* wanted = getenv("FAULT_RANK");
  const char* after = getenv("FAULT_AFTER");
  return rank != NULL && wanted != NULL && strcmp(rank, wanted) == 0 &&
         (after == NULL || access(after, F_OK) == 0);
}

/* The text behind "KIND:" if the fault is of this kind, else null. */
static const char* fault_of(const char* kind) {
  const char* fault = getenv("FAULT");
  const size_t length = strlen(kind);
  return fault != NULL && strncmp(fault, kind, length) == 0 ? fault + length : NULL;
}

static int fails_on(const char* kind, const char* path) {
  const char* part = fault_of(kind);
  return part != NULL && path != NULL && strstr(path, part) != NULL && is_due();
}

static int fails(const char* what) {
  const char* rest = fault_of(what);
  return rest != NULL && *rest == '\0' && is_due();
}

/* Stops or kills this rank if the fault is that, in this function. */
static void strike_in(const char* function) {
  static const struct {
    const char* kind;
    int signal;
  } kinds[] = {{"stop:", SIGSTOP}, {"kill:", SIGKILL}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    const char* where = fault_of(kinds[i].kind);
    if (where != NULL && strcmp(where, function) == 0 && is_due()) {
      raise(kinds[i].signal);
    }
  }
}

static int has_tag(int tag) {
  const char* wanted = getenv("FAULT_TAG");
  return wanted == NULL || atoi(wanted) == tag;
}

/* The message that is sent in place of `buffer`: the first time that it is due a copy with another
 * bit, which nobody frees as it is under way. */
static const void* flipped(const void* buffer, int count, MPI_Datatype type) {
  static int done;
  const char* function = fault_of("flip:");
  int size = 0;
  if (done || count == 0 || function == NULL || strcmp(function, "MPI_Isend") != 0 || !is_due()) {
    return buffer;
  }
  done = 1;
  PMPI_Type_size(type, &size);
  unsigned char* copy = malloc((size_t)count * (size_t)size);
  memcpy(copy, buffer, (size_t)count * (size_t)size);
  copy[(size_t)count * (size_t)size / 2] ^= 1;
  return copy;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                        \
  int name(const char* path, int flags, ...) {            \
    va_list list;                                         \
    va_start(list, flags);                                \
    const unsigned mode = va_arg(list, unsigned);         \
    va_end(list);                                         \
    if (fails_on("open:", path)) {                        \
      errno = EIO;                                        \
      return -1;                                          \
    }                                                     \
    return REAL(name)(path, flags, mode);                 \
  }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                   \
  FILE* name(const char* path, const char* mode) {    \
    if (fails_on("open:", path)) {                    \
      errno = EIO;                                    \
      return NULL;                                    \
    }                                                 \
    return REAL(name)(path, mode);                    \
  }
FOPEN(fopen)
FOPEN(fopen64)

static int write_fails(int file) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = '\0';
  if (!fails_on("write:", path)) {
    return 0;
  }
  errno = ENOSPC;
  return 1;
}

ssize_t write(int file, const void* bytes, size_t count) {
  return write_fails(file) ? -1 : REAL(write)(file, bytes, count);
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t at) {
  return write_fails(file) ? -1 : REAL(pwrite)(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t at) {
  return write_fails(file) ? -1 : REAL(pwrite64)(file, bytes, count, at);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return fails("memory") ? NULL : REAL(aligned_alloc)(alignment, size);
}

int MPI_Iprobe(int source, int tag, MPI_Comm comm, int* flag, MPI_Status* status) {
  return fails("MPI_Iprobe") ? MPI_ERR_OTHER : PMPI_Iprobe(source, tag, comm, flag, status);
}
int MPI_Isend(const void* buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request* request) {
  if (!has_tag(tag)) {
    return PMPI_Isend(buffer, count, type, to, tag, comm, request);
  }
  strike_in("MPI_Isend");
  buffer = flipped(buffer, count, type);
  return fails("MPI_Isend") ? MPI_ERR_OTHER
                            : PMPI_Isend(buffer, count, type, to, tag, comm, request);
}
int MPI_Bcast(void* buffer, int count, MPI_Datatype type, int root, MPI_Comm comm) {
  return fails("MPI_Bcast") ? MPI_ERR_OTHER : PMPI_Bcast(buffer, count, type, root, comm);
}
int MPI_Iallreduce(const void* from, void* to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                   MPI_Request* request) {
  return fails("MPI_Iallreduce") ? MPI_ERR_OTHER
                                 : PMPI_Iallreduce(from, to, count, type, op, comm, request);
}
